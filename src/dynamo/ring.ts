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
  const homes = Array.from({ length: partitions }, (_, partition) => {
    const kept = (previous[partition] ?? []).filter((node) => load.has(node)).slice(0, replication);
    for (const node of kept) load.set(node, load.get(node)! + 1);
    return kept;
  });
  for (const home of homes) {
    while (home.length < replication) {
      const node = leastLoaded(nodes, load, home);
      home.push(node);
      load.set(node, load.get(node)! + 1);
    }
  }
  levelLoads(homes, nodes, load);
  return spreadLeads(homes, nodes);
}

function leastLoaded(nodes: readonly NodeId[], load: ReadonlyMap<NodeId, number>, except: readonly NodeId[]): NodeId {
  let best: NodeId | undefined;
  for (const node of nodes) {
    if (!except.includes(node) && (best === undefined || load.get(node)! < load.get(best)!)) best = node;
  }
  return best!;
}

/** Moves single replicas from a most loaded to a least loaded node until no two loads differ by more than one. */
function levelLoads(homes: NodeId[][], nodes: readonly NodeId[], load: Map<NodeId, number>): void {
  const byLoad = () => [...nodes].sort((a, b) => load.get(a)! - load.get(b)!);
  for (;;) {
    const sorted = byLoad();
    const least = sorted[0]!;
    const most = sorted[sorted.length - 1]!;
    if (load.get(most)! - load.get(least)! <= 1) return;
    // One exists: the most loaded node is in more partitions than the least loaded.
    const home = homes.find((members) => members.includes(most) && !members.includes(least))!;
    home[home.indexOf(most)] = least;
    load.set(most, load.get(most)! - 1);
    load.set(least, load.get(least)! + 1);
  }
}

/** Orders each home so that the leading places, and with them the work of coordinating, are spread evenly. */
function spreadLeads(homes: readonly NodeId[][], nodes: readonly NodeId[]): PreferenceList[] {
  const leads = new Map<NodeId, number>(nodes.map((node) => [node, 0]));
  return homes.map((members) => {
    const lead = members.reduce((best, node) => (leads.get(node)! < leads.get(best)! ? node : best));
    leads.set(lead, leads.get(lead)! + 1);
    const at = members.indexOf(lead);
    return [...members.slice(at), ...members.slice(0, at)];
  });
}
