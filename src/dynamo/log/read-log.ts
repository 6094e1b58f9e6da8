import type { StoreKey } from '../../env/store.ts';
import { TICKS_PER_MS } from '../ballot.ts';
import type { Failure } from '../client.ts';
import type { ItemRecord } from '../record.ts';
import { type RegisterReadOutcome, readStrongly } from '../registers/register-read.ts';
import type { LogEndsOutcome, LoggedChange, LogOutcome, LogPosition } from '../stream-client.ts';
import type { Task } from '../task.ts';
import type { LogAccess } from './log-access.ts';
import { bytesInCell, type Cell, type CellChange, decodeCell } from './log-cell.ts';
import { type CellPage, PAGE_CELLS, readCells, readEnd } from './log-head.ts';
import { cellKey, cellsFrom } from './log-keys.ts';

interface LogReading {
  readonly from: LogPosition;
  /** At most so many changes. */
  readonly limit: number;
}

/**
 * Reads a log from a position on: the unbroken run of cells that are decided. One that is not is decided first. Cells that lie
 * below a higher one and are not there were trimmed (docs/protocol.md section 18.4).
 */
export function* readLog(log: LogAccess, { from, limit }: LogReading): Task<LogOutcome> {
  const reader = new Run(from, limit, log.coordinator.settings.limits.rangeBytes);
  // Every cell has a change at least.
  const walk = walkCells(log, from.cell, Math.min(limit, PAGE_CELLS));
  for (let step = yield* walk(); step.kind !== 'behind'; step = yield* walk()) {
    if (step.kind !== 'cell') return step;
    if (reader.take(step.cell, step.content)) break;
  }
  return reader.outcome;
}

/** What a read of a log has collected. */
class Run {
  readonly #changes: LoggedChange[] = [];
  readonly #limit: number;
  readonly #bytesLimit: number;
  #bytes = 0;
  #next: LogPosition;
  #isEnded = false;
  #isTrimmed = false;

  constructor(from: LogPosition, limit: number, bytesLimit: number) {
    this.#next = from;
    this.#limit = limit;
    this.#bytesLimit = bytesLimit;
  }

  /** @param content undefined: it was trimmed. @returns whether that is all that is wanted */
  take(cell: number, content: Cell | undefined): boolean {
    if (content === undefined) {
      // What follows a hole is another answer.
      if (this.#changes.length > 0) return true;
      this.#isTrimmed = true;
      this.#next = { cell: cell + 1, offset: 0 };
      return false;
    }
    if (this.#isTrimmed) return true;
    if (content.kind === 'end') {
      this.#isEnded = true;
      return true;
    }
    const { changes } = content;
    for (let { offset } = this.#next; offset < changes.length; offset++) {
      if (this.#isFull) return true;
      const change = changes[offset]!;
      this.#changes.push(logged(change, { cell, offset }));
      this.#bytes += bytesInCell(change);
      this.#next = { cell, offset: offset + 1 };
    }
    this.#next = { cell: cell + 1, offset: 0 };
    return this.#isFull;
  }

  get outcome(): LogOutcome {
    if (this.#isTrimmed) return { kind: 'trimmed', lowest: this.#next };
    return { kind: 'changes', changes: this.#changes, next: this.#next, isEnded: this.#isEnded };
  }

  get #isFull(): boolean {
    return this.#changes.length >= this.#limit || this.#bytes >= this.#bytesLimit;
  }
}

function logged({ ballot, event, by, key, old, next }: CellChange, position: LogPosition): LoggedChange {
  return { position, atMs: Math.floor(ballot.hlc / TICKS_PER_MS), event, by, key, old, next };
}

/** Where a log begins and ends. */
export function* readEnds(log: LogAccess): Task<LogEndsOutcome> {
  const end = yield* readEnd(log);
  if (end.kind !== 'end') return end;
  const walk = walkCells(log, 0, 1);
  let lowest = end.next;
  for (let step = yield* walk(); step.kind !== 'behind'; step = yield* walk()) {
    if (step.kind !== 'cell') return step;
    if (step.content === undefined) continue;
    lowest = Math.min(step.cell, end.next);
    break;
  }
  const { item } = end.record ?? {};
  const isEnded = item !== undefined && decodeCell(item).kind === 'end';
  // Who reads from there on has to find the end: behind it, nothing would ever tell of it.
  const next = isEnded ? end.next - 1 : end.next;
  return { kind: 'log-ends', lowest: { cell: lowest, offset: 0 }, next: { cell: next, offset: 0 }, isEnded };
}

type Step =
  /** A cell that is decided; without content it was trimmed. */
  | { readonly kind: 'cell'; readonly cell: number; readonly content: Cell | undefined; readonly record?: ItemRecord }
  /** Nothing further is decided. */
  | { readonly kind: 'behind' }
  | Failure;

/**
 * @param atFirst for how many cells nodes are asked first: each sends a megabyte of them, if there are. Whoever goes on asks for
 *   more, since what was trimmed may be many cells.
 * @returns a function that reads one cell after the other, from this one on
 */
export function walkCells(log: LogAccess, first: number, atFirst = PAGE_CELLS): () => Task<Step> {
  const { coordinator, prefix, requestId } = log;
  const { rules } = coordinator.settings;
  let rest: CellPage['rest'] = cellsFrom(prefix, first);
  let page: CellPage['cells'] = [];
  let at = 0;
  let limit = atFirst;
  let expected = first;
  const readAgain = (cell: number): Task<RegisterReadOutcome> => {
    const key: StoreKey = cellKey(prefix, cell);
    return readStrongly(coordinator, { requestId, key, deadlineMs: coordinator.deadline() });
  };
  return function* next(): Task<Step> {
    while (at === page.length) {
      if (rest === undefined || rest.from >= rest.to) return { kind: 'behind' };
      const told: CellPage | Failure = yield* readCells(log, rest, 'forward', limit);
      if (told.kind !== 'cells') return told;
      limit = PAGE_CELLS;
      page = told.cells;
      rest = told.rest;
      at = 0;
    }
    const { cell, read } = page[at]!;
    // One reading is no snapshot: that a cell is missing below a higher one proves nothing yet.
    const isMissing = cell > expected;
    if (isMissing && !rules.readerLooksFurther) return { kind: 'behind' };
    const outcome = yield* isMissing ? readAgain(expected) : read();
    if (outcome.kind !== 'read') return outcome;
    const { record } = outcome;
    if (record === undefined && !isMissing) return { kind: 'behind' };
    const found = isMissing ? expected : cell;
    // What is purged was trimmed, and so was all below.
    expected = isMissing && record === undefined ? cell : found + 1;
    if (!isMissing) at++;
    const content = record?.item && decodeCell(record.item);
    return { kind: 'cell', cell: expected - 1, content, ...(record !== undefined && { record }) };
  };
}
