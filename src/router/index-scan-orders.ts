import type { ScanPlan } from '../api/scan-rules.ts';
import type { Table } from '../api/table-definition.ts';

/** How many are remembered. Beyond that, the index that was scanned longest ago is forgotten. */
const MOST_INDEXES = 10_000;
/** How long a scan goes on in the order of its index after its table has grown too large, and between two pages. */
const GOES_ON_MS = 10 * 60_000;

interface State {
  /** When the last page that has a next page was answered. */
  endedMs: number;
  /** Since when the table is known to be too large. */
  beyondSinceMs: number | undefined;
  isLarge: boolean;
}

/**
 * The order in which each index is read: its own, or that of its table if the table is too large. A start key names a
 * place in either order, so a scan that changed its order between two pages would leave out entries. Therefore the
 * index of a table that grows too large is read in its own order as long as scans that began in it may be under way. A
 * table that is too large counts as too large even when it shrinks.
 */
export class IndexScanOrders {
  readonly #states = new Map<string, State>();

  isLarge(table: Table, plan: ScanPlan): boolean {
    return this.#states.get(labelOf(table, plan))?.isLarge === true;
  }

  /** The table, or an item collection, is too large. @returns whether the index is still read in its own order */
  goesOnBeyond(table: Table, plan: ScanPlan, nowMs: number): boolean {
    const state = this.#stateOf(table, plan);
    state.beyondSinceMs ??= nowMs;
    const isUnderWay = nowMs - state.endedMs < GOES_ON_MS && nowMs - state.beyondSinceMs < GOES_ON_MS;
    state.isLarge = !isUnderWay;
    return isUnderWay;
  }

  /** A page was answered in the order of the index, and there is a next page. */
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
    // A map keeps the order of insertion: its first entry was used longest ago.
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
