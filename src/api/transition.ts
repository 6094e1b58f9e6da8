import type { Status, Table, Transition } from './table-definition.ts';
import { describeDeleted, describeTable, type Phase } from './table-description.ts';

/**
 * A table whose change is seen to be under way for a while.
 * @param next what it is then
 * @param shown what descriptions show until then
 * @param durationMs 0: nothing is seen of it
 */
export function inTransition(next: Table, shown: Table, phase: Phase, nowMs: number, durationMs: number): Table {
  const settled = settledTable(next);
  if (durationMs === 0) return settled;
  const transition: Transition = {
    fromMs: nowMs,
    untilMs: nowMs + durationMs,
    status: phase.table,
    indexes: [...(phase.indexes ?? [])],
    encryption: phase.encryption === true,
    warming: phase.warming === true,
    shown: settledTable(shown),
  };
  return { ...settled, transition };
}

/** The table without what was under way. */
export function settledTable(table: Table): Table {
  if (table.transition === undefined) return table;
  const { transition: _, ...settled } = table;
  return settled;
}

/**
 * Whether the change is seen to be under way at this time. A request that came before the change may look at the table
 * after it, so times shortly before count as well; a clock that was set back further ends what was under way.
 */
function isSeen({ fromMs, untilMs }: Transition, nowMs: number): boolean {
  return nowMs < untilMs && nowMs >= fromMs - (untilMs - fromMs);
}

/** The status at this time; undefined: it is deleted by now. */
export function statusAt({ transition }: Table, nowMs: number): Status | undefined {
  if (transition === undefined) return 'ACTIVE';
  if (isSeen(transition, nowMs)) return transition.status;
  return transition.status === 'DELETING' ? undefined : 'ACTIVE';
}

/** Whether items of the table can be asked for. While it is made or deleted the service knows no such table. */
export function isUsable(table: Table, nowMs: number): boolean {
  if (table.transition === undefined) return true;
  const status = statusAt(table, nowMs);
  return status === 'ACTIVE' || status === 'UPDATING';
}

/** The description of the table as it is seen at this time. */
export function describeAt(table: Table, nowMs: number) {
  const { transition } = table;
  if (transition === undefined || !isSeen(transition, nowMs)) return describeTable(table, nowMs);
  const { status, shown, encryption, warming } = transition;
  if (status === 'DELETING') return describeDeleted(shown, nowMs);
  return describeTable(shown, nowMs, { table: status, indexes: new Map(transition.indexes), encryption, warming });
}
