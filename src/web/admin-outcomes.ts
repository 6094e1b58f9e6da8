import type { LevelChange, LinkSetting, NodeAction, PartitionMove, Snapshot } from '../api/admin.ts';

/** Sentences that say what an administrator's request did: the `done` of an answer. */

const OF_NODES: Readonly<Record<NodeAction, string>> = {
  stop: 'is stopped',
  start: 'runs',
  pause: 'is paused: it neither hears nor answers',
  resume: 'runs',
  wipe: 'has lost its disk, and is brought back from the others',
  replace: 'gets another disk, and is brought back from the others',
};

/** @param states the states of all nodes after the action */
export function nodeOutcome(id: string, action: NodeAction, states: string): string {
  return `${id} ${OF_NODES[action]} (${states})`;
}

export function moveOutcome({ partition, from, to }: PartitionMove): string {
  const isThere = to.length === from.length && to.every((name) => from.includes(name));
  if (isThere) return `partition ${partition} is held by ${from.join(' ')} already`;
  return `partition ${partition} is to move from ${from.join(' ')} to ${to.join(' ')}: status tells when it has`;
}

export function levelOutcome({ before, level, because }: LevelChange): string {
  if (level > before) return `the level is raised from ${before} to ${level}: older releases are refused from now on`;
  return `the level is ${level}, and there is nothing to raise: ${because}`;
}

export function linkOutcome(from: string, to: string, { cut, delayMs, dropRate }: LinkSetting): string {
  const faults = [
    ...(cut ? ['are lost'] : []),
    ...(delayMs ? [`are delayed by ${delayMs} ms`] : []),
    ...(dropRate ? [`are lost with a chance of ${dropRate}`] : []),
  ];
  return faults.length === 0 ? healedOutcome(from, to) : `messages from ${from} to ${to} ${faults.join(' and ')}`;
}

export function healedOutcome(from: string, to: string): string {
  return `messages from ${from} to ${to} arrive as usual`;
}

export function restoreOutcome({ tables, namespace }: Snapshot): string {
  const items = tables.reduce((sum, each) => sum + each.items.length, 0);
  const where = namespace === undefined ? '' : ` in namespace ${JSON.stringify(namespace)}`;
  return `brought back ${countOf(tables.length, 'table')} with ${countOf(items, 'item')}${where}`;
}

export function resetOutcome(namespace: string | undefined): string {
  return namespace === undefined
    ? 'all tables are deleted'
    : `all tables in namespace ${JSON.stringify(namespace)} are deleted`;
}

export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
