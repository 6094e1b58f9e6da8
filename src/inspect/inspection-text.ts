import type { InspectedItem, InspectedNode, Inspection, KnownTable } from './inspect.ts';
import type { ItemCopies } from './item-copies.ts';
import type { NodeSummary, VoteSummary } from './node-summary.ts';
import type { StoredVersion } from './stored-version.ts';

/** An item's JSON is cut after this many characters. */
const ITEM_CHARACTERS = 300;

/** The inspection as text for people. */
export function inspectionText(found: Inspection): string {
  const { directory, formatVersion, cluster, isInUse, tables, nodes, item } = found;
  const epochs = cluster.configs.map(({ epoch }) => epoch);
  const lines = [
    `${directory}: format ${formatVersion}, ${isInUse ? 'in use by a server' : 'not in use'}`,
    `cluster ${cluster.clusterId}: ${cluster.partitions} partitions, ${cluster.replication} replicas each, ` +
      `epochs ${range(epochs)}, started ${cluster.starts ?? 0} times`,
    ...cluster.nodes.map(({ node, diskId }) => `  ${node} on disk ${diskId}`),
  ];
  if (item !== undefined) return [...lines, '', ...itemLines(item, diskNames(found)), ''].join('\n');
  return [...lines, ...nodes.flatMap((node) => ['', ...nodeLines(node, tables)]), ''].join('\n');
}

function nodeLines(node: InspectedNode, tables: readonly KnownTable[]): readonly string[] {
  if ('unreadable' in node) return [`${node.node} cannot be read: ${node.unreadable}`];
  const { boots, ceiling, diskId, dataBytes, journal } = node;
  return [
    `${node.node}: disk ${diskId ?? 'without identity'}, started ${boots} times, promises up to ${ceiling ?? 'none'}`,
    `  votes     ${votesText(node.votes)}`,
    ...(node.left.length > 0 ? [`  left      ${node.left.length} partitions: ${list(node.left)}`] : []),
    ...tableLines(node, tables),
    `  accepted  ${node.accepted} records that are not known to be committed`,
    `  hints     ${hintsText(node.hints)}`,
    ...trouble(node),
    `  on disk   data.mdb ${bytesText(dataBytes)}${journal.files.map(({ name, bytes, frames }) => `, ${name} ${bytesText(bytes)} (${frames} appends)`).join('')}`,
    `            ${journal.pendingRows} rows are in the journal alone${journal.loss === undefined ? '' : `; lost: ${journal.loss}`}`,
  ];
}

function votesText(votes: readonly VoteSummary[]): string {
  if (votes.length === 0) return 'nowhere';
  const sealed = votes.filter(({ isSealed }) => isSealed).map(({ partition }) => partition);
  const text = `in ${votes.length} partitions, epochs ${range(votes.map(({ epoch }) => epoch))}`;
  return sealed.length === 0 ? text : `${text}; sealed: ${list(sealed)}`;
}

function tableLines({ tables }: NodeSummary, known: readonly KnownTable[]): readonly string[] {
  const nameOf = (storageId: string) => {
    if (/^0+$/.test(storageId)) return '(definitions of tables and indexes)';
    const table = known.find((each) => each.storageId === storageId);
    if (table === undefined) return `(deleted table ${storageId})`;
    const name = table.namespace === '' ? table.name : `${table.namespace}/${table.name}`;
    if (table.stream !== undefined) return `${name}, stream ${table.stream}`;
    return table.index === undefined ? name : `${name}, index ${table.index}`;
  };
  return tables.map(({ storageId, items, tombstones, damaged, bytes, newest }) => {
    const rest = [
      `${items} items`,
      ...(tombstones > 0 ? [`${tombstones} tombstones`] : []),
      ...(damaged > 0 ? [`${damaged} DAMAGED`] : []),
      bytesText(bytes),
      ...(newest === undefined ? [] : [`newest ${newest}`]),
    ];
    return `  table     ${nameOf(storageId)}: ${rest.join(', ')}`;
  });
}

function hintsText(hints: NodeSummary['hints']): string {
  const kept = Object.entries(hints).map(([home, count]) => `${count} for ${home}`);
  return kept.length === 0 ? 'none' : kept.join(', ');
}

function trouble({ damagedState, damagedKeys, staged, lateTombstones }: NodeSummary): readonly string[] {
  return [
    ...(damagedState.length > 0 ? [`  DAMAGED   its own state: ${damagedState.join(', ')}`] : []),
    ...(damagedKeys > 0 ? [`  DAMAGED   ${damagedKeys} keys that it has no vote on until they are restored`] : []),
    ...(staged > 0 ? [`  staged    ${staged} records of an epoch that has not begun`] : []),
    ...(lateTombstones > 0 ? [`  late      ${lateTombstones} tombstones that were old when they came`] : []),
  ];
}

function itemLines(
  { partition, epoch, members, copies }: InspectedItem,
  nodeOfDisk: ReadonlyMap<number, string>,
): readonly string[] {
  return [
    `partition ${partition}, epoch ${epoch}, home replicas ${members.join(', ')}`,
    ...copies.flatMap((copy) => ['', ...copyLines(copy, nodeOfDisk)]),
  ];
}

function copyLines(
  { node, isVoter, isDamaged, committed, accepted, hints }: ItemCopies,
  nodeOfDisk: ReadonlyMap<number, string>,
): readonly string[] {
  const has = (what: string, version: StoredVersion | undefined) =>
    version === undefined ? [] : [`  ${what.padEnd(10)}${versionText(version, nodeOfDisk)}`];
  const versions = [
    ...has('committed', committed),
    ...has('accepted', accepted),
    ...hints.flatMap(({ home, kept, version }) =>
      has(`hint`, version).map((line) => `${line}, kept ${kept} for ${home}`),
    ),
  ];
  return [
    `${node}${isVoter ? '' : ', which has no vote in this partition'}${isDamaged ? ', where the key is DAMAGED' : ''}`,
    ...(versions.length === 0 ? ['  nothing'] : versions),
  ];
}

function versionText(version: StoredVersion, nodeOfDisk: ReadonlyMap<number, string>): string {
  const place = version.place === 'journal' ? ', in the journal' : '';
  if (version.kind === 'damaged') return `DAMAGED${place}`;
  const { time, ballot, consistency, lineage, kind, item } = version;
  const coordinator = nodeOfDisk.get(ballot.coordinator) ?? `disk ${ballot.coordinator}`;
  const by = `${time} by ${coordinator}, boot ${ballot.boot}, ${consistency}, lineage of ${lineage}${place}`;
  if (kind === 'tombstone') return `tombstone ${by}`;
  const json = JSON.stringify(item);
  return `${by}: ${json.length > ITEM_CHARACTERS ? `${json.slice(0, ITEM_CHARACTERS)}… (${json.length} characters)` : json}`;
}

function diskNames({ cluster }: Inspection): ReadonlyMap<number, string> {
  const members = [...cluster.configs.flatMap((config) => config.members), ...cluster.nodes];
  return new Map(members.map(({ node, diskId }) => [diskId, node]));
}

function range(numbers: readonly number[]): string {
  const [least, greatest] = [Math.min(...numbers), Math.max(...numbers)];
  return least === greatest ? String(least) : `${least} to ${greatest}`;
}

/** The first few numbers of a list. */
function list(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 16).join(', ');
  return numbers.length > 16 ? `${shown}, …` : shown;
}

function bytesText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_048_576) return `${(bytes / 1_024).toFixed(1)} KiB`;
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
