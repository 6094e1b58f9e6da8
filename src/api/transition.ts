import type { Status, Table, Transition } from './table-definition.ts';
import { describeDeleted, describeTable, isAllocating, type Phase } from './table-description.ts';

/** How a change is seen while it seems to be under way. */
export interface Change {
  /** The table that descriptions show meanwhile. */
  readonly shown: Table;
  readonly phase: Phase;
  /** When it began, in ms since 1970. */
  readonly nowMs: number;
  /** For how long it is seen. 0: not at all. */
  readonly transientMs: number;
}

/**
 * A table with a change that is seen to be under way for a while.
 * @param next the table after the change
 */
export function inTransition(next: Table, { shown, phase, nowMs, transientMs }: Change): Table {
  const settled = settledTable(next);
  if (transientMs === 0) return settled;
  const transition: Transition = {
    fromMs: nowMs,
    untilMs: nowMs + transientMs,
    status: phase.table,
    indexes: [...(phase.indexes ?? [])],
    encryption: phase.encryption === true,
    warming: phase.warming === true,
    shown: settledTable(shown),
  };
  return { ...settled, transition };
}

/** The table without its transition. */
export function settledTable(table: Table): Table {
  if (table.transition === undefined) return table;
  const { transition: _, ...settled } = table;
  return settled;
}

/**
 * Whether the change is seen to be under way at this time. A request that arrived before the change may read the table
 * after it, so times shortly before the change count as well. A clock that was set back further than that ends the
 * transition.
 */
export function isSeen({ fromMs, untilMs }: Pick<Transition, 'fromMs' | 'untilMs'>, nowMs: number): boolean {
  return nowMs < untilMs && nowMs >= fromMs - (untilMs - fromMs);
}

/** The status at this time. Undefined: the table is deleted by now. */
export function statusAt(table: Table, nowMs: number): Status | undefined {
  const { transition } = table;
  if (transition !== undefined && isSeen(transition, nowMs)) return transition.status;
  if (transition?.status === 'DELETING') return undefined;
  return isAllocating(table) ? 'UPDATING' : 'ACTIVE';
}

/** Whether requests on items find the table. They do not while it is being made or deleted. */
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
