import { TICKS_PER_MS } from '../ballot.ts';
import type { Failure } from '../client.ts';
import { writeRegister } from '../registers/register-write.ts';
import type { TrimOutcome } from '../stream-client.ts';
import type { Task } from '../task.ts';
import type { LogAccess } from './log-access.ts';
import { readEnd } from './log-head.ts';
import { cellKey } from './log-keys.ts';
import { walkCells } from './read-log.ts';
import { raiseRetention } from './retention.ts';

/** Cells that one request trims: a round each. */
const MOST_AT_ONCE = 256;

/**
 * Deletes the cells that were written before a time, in their order, and never the newest one: the next appender finds by it
 * where to go on. Tombstones are purged as those of items are.
 */
export function* trimLog(log: LogAccess, beforeMs: number): Task<TrimOutcome> {
  const { coordinator } = log;
  const beforeHlc = Math.floor(beforeMs * TICKS_PER_MS);
  const deadlineMs = coordinator.deadline();
  const end = yield* readEnd(log);
  if (end.kind !== 'end') return end;
  const newest = coordinator.settings.rules.newestCellIsKept ? end.next - 1 : end.next;
  const walk = walkCells(log, 0);
  let cells = 0;
  while (cells < MOST_AT_ONCE && !coordinator.isPast(deadlineMs)) {
    const step = yield* walk();
    if (step.kind === 'behind') return { kind: 'cells-trimmed', cells, isDone: true };
    if (step.kind !== 'cell') return step;
    const { cell, content, record } = step;
    if (content === undefined || record === undefined) continue;
    if (cell >= newest || record.ballot.hlc >= beforeHlc) return { kind: 'cells-trimmed', cells, isDone: true };
    if (cells === 0 && (yield* raiseRetention(log, beforeHlc)) === undefined) return UNKNOWN;
    if (!(yield* deleteCell(log, cell, deadlineMs))) return UNKNOWN;
    cells++;
  }
  return { kind: 'cells-trimmed', cells, isDone: false };
}

const UNKNOWN: Failure = { kind: 'unknown' };

/** @returns whether it is certainly deleted */
function* deleteCell({ coordinator, prefix, requestId }: LogAccess, cell: number, deadlineMs: number): Task<boolean> {
  const outcome = yield* writeRegister(coordinator, {
    requestId,
    key: cellKey(prefix, cell),
    deadlineMs,
    partitionKey: '',
    change: (current) =>
      current === undefined
        ? { kind: 'condition-failed', current }
        : { kind: 'applied', next: undefined, old: current },
    mode: 'strict',
    carried: undefined,
  });
  return outcome.kind === 'applied' || outcome.kind === 'condition-failed';
}
