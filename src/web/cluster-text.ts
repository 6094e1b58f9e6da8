import type { ClusterView } from '../api/admin.ts';

/**
 * An overview for an administrator: a summary, then one line for each node. At most 80 columns wide for a usual ring.
 */
export function clusterText(view: ClusterView): string {
  const { nodes, partitions, replication, writeQuorum, readQuorum, movesLeft, withoutMajority, problems } = view;
  const minorities = withoutMajority.length;
  const moving = partitions.filter(({ movedBy }) => movedBy !== undefined).length;
  const rows = nodes.map(({ id, state, partitions, leads, hints, suspects }) => {
    const isUnknown = state === 'stopped' || state === 'silent';
    return [id, state, String(partitions), String(leads), isUnknown ? '-' : String(hints), suspectsText(suspects)];
  });
  return [
    `${statesText(view)}; N=${replication} W=${writeQuorum} R=${readQuorum}`,
    minorities === 0
      ? `${partitions.length} partitions, each with a majority of its homes up`
      : `${partitions.length} partitions, ${minorities} of them WITHOUT a majority of their homes up`,
    ...(movesLeft === 0 ? [] : [`${movesLeft} partitions still to be moved, ${moving} of them now`]),
    ...levelLines(view),
    ...problems,
    '',
    ...columnsText([['node', 'state', 'partitions', 'leads', 'hints', 'suspects'], ...rows]),
    '',
  ].join('\n');
}

/** What the processes run, where nodes have processes. */
function levelLines({ nodes, level }: ClusterView): string[] {
  const byVersion = new Map<string, string[]>();
  for (const { name, version } of nodes) {
    if (version !== undefined) byVersion.set(version, [...(byVersion.get(version) ?? []), name]);
  }
  if (level === undefined) return [];
  const versions = [...byVersion].map(([version, names]) =>
    byVersion.size === 1
      ? version
      : `${version} (${names.slice(0, NAMED_NODES).join(', ')}${names.length > NAMED_NODES ? ', ...' : ''})`,
  );
  const raise = level.possible > level.now ? `; admin finalize would raise it to ${level.possible}` : '';
  return [`${byVersion.size === 1 ? 'version' : 'versions'} ${versions.join(', ')}; level ${level.now}${raise}`];
}

/** `3 nodes: 2 up, 1 stopped` */
export function statesText({ nodes }: Pick<ClusterView, 'nodes'>): string {
  const counts = (['up', 'paused', 'silent', 'stopped'] as const)
    .map((state) => ({ state, count: nodes.filter((node) => node.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => `${count} ${state}`);
  return `${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}: ${counts.join(', ')}`;
}

/** So many nodes of one version are named. */
const NAMED_NODES = 8;
/** Up to this many suspected nodes are named; above, they are counted. */
const NAMED_SUSPECTS = 3;

function suspectsText(suspects: readonly string[]): string {
  if (suspects.length === 0) return '-';
  return suspects.length <= NAMED_SUSPECTS ? suspects.join(' ') : `${suspects.length} nodes`;
}

/** Aligns numbers to the right and texts to the left. */
function columnsText(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const isNumber = (at: number) => at >= 2 && at <= 4;
  return rows.map((row) =>
    row
      .map((cell, at) => (isNumber(at) ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd(),
  );
}
