import type { StoreKey } from '../../env/store.ts';
import { type Ballot, TICKS_PER_MS } from '../ballot.ts';
import type { Failure } from '../client.ts';
import type { ItemRecord } from '../record.ts';
import { type Page, type RangeRead, readOne, readPage } from '../registers/range-read.ts';
import { type RegisterReadOutcome, readStrongly } from '../registers/register-read.ts';
import type { Rules } from '../rules.ts';
import type { Task } from '../task.ts';
import type { LogAccess } from './log-access.ts';
import { type Cell, type CellChange, decodeCell } from './log-cell.ts';
import { cellKey, cellOf, cellsFrom, cellsThrough } from './log-keys.ts';
import { readRetention } from './retention.ts';

/** Cells of one page: with 256 changes each, a page ends by its bytes. */
export const PAGE_CELLS = 64;
/** With more changes than this in memory a head is read anew: some 10 MB. */
const MOST_SEEN = 100_000;

/**
 * Where a log ends, as one appender knows it, and which changes are in the cells before that. Cells are written once and in
 * order, so what it knows stays true; only the end may be further on by now.
 */
export class LogHead {
  /** The cell to be written next. Every one below was read, or holds nothing that is looked for here. */
  next: number;
  /** The last cell says that the stream was disabled. */
  isEnded = false;
  /** Changes from this time on that are in cells below `next` are in `#seen`. */
  readonly #coveredHlc: number;
  /** Older changes that were looked for. */
  readonly #lookedFor: ReadonlySet<string>;
  readonly #seen = new Set<string>();
  /** Changes before this time may have been trimmed. */
  #retentionHlc: number;

  constructor({ next, coveredHlc, lookedFor, seen, retentionHlc, isEnded }: HeadFields) {
    this.next = next;
    this.#coveredHlc = coveredHlc;
    this.#lookedFor = lookedFor;
    this.#seen = seen;
    this.#retentionHlc = retentionHlc;
    this.isEnded = isEnded;
  }

  /** Whether it is known which of these changes are in the log. */
  isAbout(changes: readonly CellChange[]): boolean {
    return changes.every(({ ballot }) => ballot.hlc >= this.#coveredHlc || this.#lookedFor.has(nameOf(ballot)));
  }

  has({ ballot }: CellChange): boolean {
    return this.#seen.has(nameOf(ballot));
  }

  get retentionHlc(): number {
    return this.#retentionHlc;
  }

  /** Whether a change is so old that the cells of its time may be trimmed. */
  isAged({ ballot }: CellChange): boolean {
    return ballot.hlc < this.#retentionHlc;
  }

  /** The cell `next` is decided. @param cell undefined: it was trimmed */
  take(cell: Cell | undefined, { retentionIsHandedOn }: Rules): void {
    this.next++;
    if (cell?.kind === 'end') this.isEnded = true;
    if (cell?.kind !== 'batch') return;
    // What was left out there may not come after it.
    if (retentionIsHandedOn) this.#retentionHlc = Math.max(this.#retentionHlc, cell.retentionHlc);
    for (const { ballot } of cell.changes) this.#seen.add(nameOf(ballot));
  }

  get isFull(): boolean {
    return this.#seen.size > MOST_SEEN;
  }
}

interface HeadFields {
  readonly next: number;
  readonly coveredHlc: number;
  readonly lookedFor: ReadonlySet<string>;
  readonly seen: Set<string>;
  readonly retentionHlc: number;
  readonly isEnded: boolean;
}

/** What tells a change from all others. */
export function nameOf({ hlc, coordinator, boot }: Ballot): string {
  return `${hlc}.${coordinator}.${boot}`;
}

/**
 * Reads where a log ends and which of these changes it has, from its end back to before the oldest of them: a cell has a higher
 * ballot than the cells and the changes before it (docs/protocol.md section 18.3).
 *
 * The log is read twice, because one reading of a range is no snapshot: a majority without a cell may have answered before the
 * cell was chosen, and about a higher one after that. Whatever is below the highest cell of the first reading was decided
 * before the second one. If the second one does not find it, it was trimmed and purged, and so was all below.
 */
export function* readHead(log: LogAccess, changes: readonly CellChange[]): Task<LogHead | Failure> {
  const { coordinator, prefix } = log;
  const { clock, settings } = coordinator;
  const { rules } = settings;
  // Most of what is appended is young, so that is remembered whether or not it was asked for.
  const coveredHlc = (clock.now() - settings.limits.logCoveredMs) * TICKS_PER_MS;
  const untilHlc = changes.reduce((least, { ballot }) => Math.min(least, ballot.hlc), coveredHlc);
  const lookedFor = new Set(changes.map(({ ballot }) => nameOf(ballot)));
  const seen = new Set<string>();
  let isEnded = false;
  let retentionHlc = 0;
  const look = (cell: Cell) => {
    if (cell.kind === 'end') isEnded = true;
    else {
      if (rules.retentionIsHandedOn) retentionHlc = Math.max(retentionHlc, cell.retentionHlc);
      for (const { ballot } of cell.changes) {
        if (ballot.hlc >= coveredHlc || lookedFor.has(nameOf(ballot))) seen.add(nameOf(ballot));
      }
    }
  };
  const end = yield* readEnd(log, rules.logIsReadTwice ? 1 : PAGE_CELLS);
  if (end.kind !== 'end') return end;
  const { record: last } = end;
  if (last?.item !== undefined) look(decodeCell(last.item));
  const isTrimmed = last !== undefined && last.item === undefined;
  const isFarEnough = isTrimmed || (last !== undefined && last.ballot.hlc < untilHlc);
  let expected = end.next - (last === undefined ? 1 : 2);
  let rest = isFarEnough || expected < 0 ? undefined : cellsThrough(prefix, expected);
  let told: CellPage | undefined = rules.logIsReadTwice ? undefined : end.page;
  walk: while (rest !== undefined && rest.from < rest.to) {
    const page: CellPage | Failure = told ?? (yield* readCells(log, rest, 'backward'));
    if (page.kind !== 'cells') return page;
    told = undefined;
    for (const { cell, read } of page.cells) {
      if (cell > expected) continue;
      // A hole: it was purged.
      if (cell !== expected) break walk;
      const outcome = yield* read();
      if (outcome.kind !== 'read') return outcome;
      const { record } = outcome;
      // Trimmed, as all below it.
      if (record?.item === undefined) break walk;
      coordinator.ballots.strict.goAbove(record.ballot.hlc);
      look(decodeCell(record.item));
      if (record.ballot.hlc < untilHlc) break walk;
      expected = cell - 1;
    }
    rest = page.rest;
  }
  // After the cells: what was trimmed before they were read is known then.
  const retention = yield* readRetention(log);
  if (retention.kind !== 'retention') return retention;
  retentionHlc = Math.max(retentionHlc, retention.hlc);
  return new LogHead({ next: end.next, coveredHlc, lookedFor, seen, retentionHlc, isEnded });
}

/** The end of a log. */
interface LogEnd {
  readonly kind: 'end';
  /** Behind the highest cell that is decided. */
  readonly next: number;
  /** Of that cell, if it is `next - 1`; undefined if the log is empty, or if `next` was proposed and may yet be decided. */
  readonly record: ItemRecord | undefined;
  /** What a majority has told of the cells at the end. */
  readonly page: CellPage;
}

/** Finds the highest cell, and has it decided. @param limit how many cells at the end to ask for */
export function* readEnd(log: LogAccess, limit = 1): Task<LogEnd | Failure> {
  const { coordinator, prefix, requestId } = log;
  const page = yield* readCells(log, cellsFrom(prefix, 0), 'backward', limit);
  if (page.kind !== 'cells') return page;
  const highest = page.cells[0]?.cell;
  if (highest === undefined) return { kind: 'end', next: 0, record: undefined, page };
  const key = cellKey(prefix, highest);
  const outcome = yield* readStrongly(coordinator, { requestId, key, deadlineMs: coordinator.deadline() });
  if (outcome.kind !== 'read') return outcome;
  const { record } = outcome;
  if (record === undefined) return { kind: 'end', next: highest, record, page };
  coordinator.ballots.strict.goAbove(record.ballot.hlc);
  return { kind: 'end', next: highest + 1, record, page };
}

/** Some cells of a log that a majority has told of. */
export interface CellPage {
  readonly kind: 'cells';
  /** In the order of the read. */
  readonly cells: readonly {
    readonly cell: number;
    /** Has the cell decided, if it is not. Without a record, nobody has chosen it. */
    readonly read: () => Task<RegisterReadOutcome>;
  }[];
  /** What is left of the range; undefined if nothing is. */
  readonly rest: Page['rest'];
}

/** Reads one page of a range of cells, strongly. */
export function* readCells(
  { coordinator, requestId }: LogAccess,
  range: { readonly from: StoreKey; readonly to: StoreKey },
  order: 'forward' | 'backward',
  limit = PAGE_CELLS,
): Task<CellPage | Failure> {
  const operation = { requestId, deadlineMs: coordinator.deadline() };
  const read: RangeRead = { coordinator, order, demand: { kind: 'strong' }, operation };
  const page = yield* readPage(read, { ...range, limit, bytesLimit: coordinator.settings.limits.rangeBytes });
  if (page.kind !== 'page') return page;
  const cells = page.keys.map(({ key, states }) => ({
    cell: cellOf(key),
    read: () => readOne(read, key, states, page.majority),
  }));
  return { kind: 'cells', cells, rest: page.rest };
}
