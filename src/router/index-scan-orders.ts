import type { ScanPlan } from '../api/scan-rules.ts';
import type { Table } from '../api/table-definition.ts';

/** Beyond, the one that was scanned longest ago begins anew. */
const MOST_INDEXES = 10_000;
/** How long a scan may take, and pause between two pages, in which its table has grown too large for its order. */
const GOES_ON_MS = 10 * 60_000;

interface State {
  /** When the last page was answered after which the scan goes on. */
  endedMs: number;
  /** Since when it is known to be too large. */
  beyondSinceMs: number | undefined;
  isLarge: boolean;
}

/**
 * In which order the indexes of each table are read. An entry names its place in the order of its index and in that of
 * its table alike, so a scan that went on in the other order would leave entries out: the index of a table that grows
 * too large is read in its order as long as scans may be under way that have begun in it. What is too large stays so,
 * even if it shrinks.
 */
export class IndexScanOrders {
  readonly #states = new Map<string, State>();

  isLarge(table: Table, plan: ScanPlan): boolean {
    return this.#states.get(labelOf(table, plan))?.isLarge === true;
  }

  /** The table, or an item collection, is too large. @returns whether the index is read in its order all the same */
  goesOnBeyond(table: Table, plan: ScanPlan, nowMs: number): boolean {
    const state = this.#stateOf(table, plan);
    state.beyondSinceMs ??= nowMs;
    const isUnderWay = nowMs - state.endedMs < GOES_ON_MS && nowMs - state.beyondSinceMs < GOES_ON_MS;
    state.isLarge = !isUnderWay;
    return isUnderWay;
  }

  /** A page was answered in the order of the index, and there are more. */
  ended(table: Table, plan: ScanPlan, nowMs: number): void {
    this.#stateOf(table, plan).endedMs = nowMs;
  }

  #stateOf(table: Table, plan: ScanPlan): State {
    const label = labelOf(table, plan);
    const state = this.#states.get(label) ?? {
      endedMs: Number.NEGATIVE_INFINITY,
      beyondSinceMs: undefined,
      isLarge: false,
    };
    // A map keeps the order in which they came: the one that was used longest ago is the first.
    this.#states.delete(label);
    this.#states.set(label, state);
    if (this.#states.size > MOST_INDEXES) {
      for (const oldest of this.#states.keys()) {
        this.#states.delete(oldest);
        break;
      }
    }
    return state;
  }
}

function labelOf({ storageId }: Table, { index, segment }: ScanPlan): string {
  return `${storageId}/${segment?.total ?? 1}/${index?.name}`;
}
