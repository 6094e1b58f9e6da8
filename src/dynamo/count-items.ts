import type { ByteString } from '../api/primary-key.ts';
import type { ItemCount, TableCount } from './client.ts';
import type { CountAnswer, CountItems } from './coordination-messages.ts';
import type { CoordinatorChoice } from './coordinator-choice.ts';
import type { NodesAtHand } from './nodes-at-hand.ts';
import type { NodeId } from './ring.ts';

interface CountParts {
  readonly partitions: number;
  readonly nodes: NodesAtHand;
  readonly choice: Pick<CoordinatorChoice, 'preferred'>;
  /** Calls `run` after as long as a node may take to answer. @returns a function that takes it back */
  readonly whenSilent: (run: () => void) => () => void;
}

/**
 * The items of tables, as one replica of each partition counts them: the first member that seems well, and another one
 * if that does not answer. Partitions of which no node answers are left out.
 */
export async function countItems(parts: CountParts, tables: readonly ByteString[]): Promise<readonly TableCount[]> {
  const sums = tables.map(() => ({ items: 0, bytes: 0, local: [] as ItemCount[] }));
  const tried = new Set<NodeId>();
  let left = Array.from({ length: parts.partitions }, (_, partition) => partition);
  while (left.length > 0) {
    const asked = [...byNode(parts, left, tried)];
    left = [];
    const answers = await Promise.all(
      asked.map(([id, partitions]) => ask(parts, id, { kind: 'count-items', tables, partitions })),
    );
    for (const [i, [id, partitions]] of asked.entries()) {
      const answer = answers[i];
      if (answer !== undefined) {
        for (const [table, count] of answer.counts.entries()) sums[table] = sumOf(sums[table]!, count);
      } else {
        tried.add(id);
        left.push(...partitions);
      }
    }
  }
  return sums;
}

function byNode(
  { choice }: CountParts,
  partitions: readonly number[],
  tried: ReadonlySet<NodeId>,
): ReadonlyMap<NodeId, number[]> {
  const asked = new Map<NodeId, number[]>();
  for (const partition of partitions) {
    const id = choice.preferred(partition, tried);
    if (id === undefined) continue;
    const known = asked.get(id);
    if (known === undefined) asked.set(id, [partition]);
    else known.push(partition);
  }
  return asked;
}

/** @returns undefined if the node does not answer in time, or cannot */
function ask(
  { nodes, whenSilent }: CountParts,
  id: NodeId,
  request: CountItems,
): Promise<Extract<CountAnswer, { kind: 'counts' }> | undefined> {
  return new Promise((resolve) => {
    const stopWaiting = whenSilent(() => resolve(undefined));
    nodes.get(id)!.coordinate(request, (answer) => {
      stopWaiting();
      resolve(answer.kind === 'counts' ? answer : undefined);
    });
  });
}

function sumOf(one: TableCount, other: TableCount) {
  const local = Array.from({ length: Math.max(one.local.length, other.local.length) }, (_, index) =>
    plus(one.local[index] ?? NONE, other.local[index] ?? NONE),
  );
  return { ...plus(one, other), local };
}

function plus(one: ItemCount, other: ItemCount): ItemCount {
  return { items: one.items + other.items, bytes: one.bytes + other.bytes };
}

const NONE: ItemCount = { items: 0, bytes: 0 };
