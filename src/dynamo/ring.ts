/** Names a storage host, for example `node-1`. */
export type NodeId = string;

/** The home replicas of a partition, first the one that coordinates by preference. */
export type PreferenceList = readonly NodeId[];

/**
 * Assigns every partition to `replication` distinct nodes: Q equal partitions, Q·N/S replicas on each of S nodes, give
 * or take one (the Dynamo paper, section 6.2, strategy 3). Deterministic.
 *
 * With `previous`, the assignment to change: replicas move only from nodes that are gone or hold more than their share,
 * so that a join moves no more than the newcomer's share.
 *
 * @returns one preference list per partition; each node leads Q/S of them, give or take one or two
 */
export function assignPartitions(
  partitions: number,
  nodes: readonly NodeId[],
  replication: number,
  previous: readonly PreferenceList[] = [],
): PreferenceList[] {
  if (replication > nodes.length) throw new RangeError(`${replication} replicas need as many nodes`);
  const load = new Map<NodeId, number>(nodes.map((node) => [node, 0]));
  const shared = new SharedPartitions();
  const homes = Array.from({ length: partitions }, (_, partition) => {
    const home: NodeId[] = [];
    const kept = (previous[partition] ?? []).filter((node) => load.has(node)).slice(0, replication);
    for (const node of kept) place(node, home, load, shared);
    return home;
  });
  for (const home of homes) {
    while (home.length < replication) place(nextHome(nodes, load, home, shared), home, load, shared);
  }
  levelLoads(homes, nodes, load, previous);
  return spreadLeads(homes, nodes);
}

function place(node: NodeId, home: NodeId[], load: Map<NodeId, number>, shared: SharedPartitions): void {
  shared.add(node, home);
  home.push(node);
  load.set(node, load.get(node)! + 1);
}

/** For each two nodes, the number of partitions that both are in. */
class SharedPartitions {
  readonly #counts = new Map<NodeId, Map<NodeId, number>>();

  add(node: NodeId, others: readonly NodeId[]): void {
    for (const other of others) {
      this.#increment(node, other);
      this.#increment(other, node);
    }
  }

  /** The sum of what `node` shares with each of the others. */
  count(node: NodeId, others: readonly NodeId[]): number {
    const counts = this.#counts.get(node);
    return others.reduce((sum, other) => sum + (counts?.get(other) ?? 0), 0);
  }

  #increment(one: NodeId, other: NodeId): void {
    let counts = this.#counts.get(one);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(one, counts);
    }
    counts.set(other, (counts.get(other) ?? 0) + 1);
  }
}

/**
 * The least loaded node that is not in `home` yet; among equals the one that shares the fewest partitions with `home`.
 */
function nextHome(
  nodes: readonly NodeId[],
  load: ReadonlyMap<NodeId, number>,
  home: readonly NodeId[],
  shared: SharedPartitions,
): NodeId {
  const free = nodes.filter((node) => !home.includes(node));
  const least = Math.min(...free.map((node) => load.get(node)!));
  const candidates = free.filter((node) => load.get(node) === least);
  if (candidates.length === 1 || home.length === 0) return candidates[0]!;
  // Without this, the same N nodes would share all their partitions, and the load of one that fails would fall on the
  // same few.
  const counts = candidates.map((node) => shared.count(node, home));
  return candidates[counts.indexOf(Math.min(...counts))]!;
}

/** Shifts replicas from a most loaded towards a least loaded node until no two loads differ by more than one. */
function levelLoads(
  homes: NodeId[][],
  nodes: readonly NodeId[],
  load: Map<NodeId, number>,
  previous: readonly PreferenceList[],
): void {
  for (;;) {
    const sorted = [...nodes].sort((a, b) => load.get(a)! - load.get(b)!);
    const least = sorted[0]!;
    const most = sorted[sorted.length - 1]!;
    if (load.get(most)! - load.get(least)! <= 1) return;
    for (const { partition, from, to } of cheapestShift(homes, nodes, previous, { source: most, target: least })) {
      const home = homes[partition]!;
      home[home.indexOf(from)] = to;
    }
    load.set(most, load.get(most)! - 1);
    load.set(least, load.get(least)! + 1);
  }
}

interface Move {
  readonly partition: number;
  readonly from: NodeId;
  readonly to: NodeId;
}

/**
 * The moves that take one replica off `source` and add one to `target`, by way of other nodes if that is cheaper. It
 * costs one to move a replica from where it was before, and nothing to redirect a replica that moves anyway.
 */
function cheapestShift(
  homes: readonly (readonly NodeId[])[],
  nodes: readonly NodeId[],
  previous: readonly PreferenceList[],
  { source, target }: { readonly source: NodeId; readonly target: NodeId },
): Move[] {
  const cost = new Map<NodeId, number>([[source, 0]]);
  const arrival = new Map<NodeId, Move>();
  const open = new Set([source]);
  while (open.size > 0) {
    const from = [...open].reduce((best, node) => (cost.get(node)! < cost.get(best)! ? node : best));
    // No path is cheaper than one that costs no more than the cheapest open node.
    if (cost.get(target) === cost.get(from)) break;
    open.delete(from);
    for (const [partition, home] of homes.entries()) {
      if (!home.includes(from)) continue;
      const reached = cost.get(from)! + (previous[partition]?.includes(from) ? 1 : 0);
      for (const to of nodes) {
        if (home.includes(to) || reached >= (cost.get(to) ?? Number.POSITIVE_INFINITY)) continue;
        cost.set(to, reached);
        arrival.set(to, { partition, from, to });
        open.add(to);
      }
    }
  }
  const moves: Move[] = [];
  // A path exists: the source is in more partitions than the target, so also in one that the target is not in.
  for (let node = target; node !== source; node = moves[0]!.from) moves.unshift(arrival.get(node)!);
  return moves;
}

/** Orders each home so that the first places, and with them the work of coordinating, are spread evenly. */
function spreadLeads(homes: readonly NodeId[][], nodes: readonly NodeId[]): PreferenceList[] {
  const leads = new Map<NodeId, number>(nodes.map((node) => [node, 0]));
  return homes.map((members) => {
    const lead = members.reduce((best, node) => (leads.get(node)! < leads.get(best)! ? node : best));
    leads.set(lead, leads.get(lead)! + 1);
    const at = members.indexOf(lead);
    return [...members.slice(at), ...members.slice(0, at)];
  });
}
