import type { AttributeMap } from '../api/attribute-value.ts';
import { normaliseMap } from '../api/attribute-value.ts';
import { type ByteString, keyOfKey } from '../api/primary-key.ts';
import { streamLabel } from '../api/stream.ts';
import type { Table } from '../api/table-definition.ts';
import { compareBallots } from '../dynamo/ballot.ts';
import { SYSTEM_TABLE } from '../dynamo/client.ts';
import { partitionOf, storeKeyOf } from '../dynamo/keyspace.ts';
import { decodeRecord, type ItemRecord } from '../dynamo/record.ts';
import type { DataDirectoryView } from '../env/data-directory.ts';
import { DAMAGED } from '../env/store.ts';
import type { StoredRows } from '../env/stored-rows.ts';
import { definitionText, isDefinitionAt, parseDefinition } from '../router/definition-item.ts';
import { isStreamRowAt, parseStreamRow, type StreamRow } from '../router/stream-rows.ts';
import { directoryView } from './directory-view.ts';
import { InspectError } from './inspect-error.ts';
import type { InspectOptions } from './inspect-options.ts';
import { copiesOf, type ItemCopies } from './item-copies.ts';
import { type NodeSummary, summariseNode } from './node-summary.ts';
import { reading } from './read-rows.ts';

/** The name of a table, of an index with entries of its own, or of a stream, whose definition was found on some node. */
export interface KnownTable {
  readonly namespace: string;
  readonly name: string;
  /** The global index whose entries have this storage id. Undefined: it is the table's. */
  readonly index?: string;
  /** The label of the stream whose log has this storage id. Undefined: it is the table's, or an index's. */
  readonly stream?: string;
  /** In hexadecimal digits. */
  readonly storageId: string;
}

/** What a data directory holds. */
export interface Inspection {
  readonly directory: string;
  readonly formatVersion: number;
  readonly isInUse: boolean;
  readonly cluster: DataDirectoryView['cluster'];
  readonly tables: readonly KnownTable[];
  readonly nodes: readonly InspectedNode[];
  readonly item?: InspectedItem | undefined;
}

export type InspectedNode = NodeSummary | { readonly node: string; readonly unreadable: string };

/** Where an item lives and which versions of it there are. */
export interface InspectedItem {
  readonly partition: number;
  readonly epoch: number;
  readonly members: readonly string[];
  readonly copies: readonly ItemCopies[];
}

/**
 * Reads a data directory, one node after the other.
 *
 * @throws InspectError, or DataDirectoryError
 */
export async function inspect({ directory, node, item }: InspectOptions): Promise<Inspection> {
  const { path, formatVersion, cluster, isInUse, nodes } = await directoryView(directory);
  const wanted = nodes.filter(({ id }) => node === undefined || id === node);
  if (node !== undefined && wanted.length === 0) {
    throw new InspectError(`there is no ${node} in ${path}: it has ${nodes.map(({ id }) => id).join(', ')}`);
  }
  const tables = new Map<string, Table>();
  const streams = new Map<string, StreamRow>();
  const summaries: InspectedNode[] = [];
  for (const { id, folder } of nodes) {
    const found = await reading(folder, (rows) => {
      const known = definitionsIn(rows);
      for (const table of known.tables) tables.set(table.storageId, table);
      for (const stream of known.streams) streams.set(stream.storageId, stream);
      return item === undefined && wanted.some((each) => each.id === id) ? summariseNode(id, rows) : undefined;
    });
    if (typeof found === 'string') summaries.push({ node: id, unreadable: found });
    else if (found !== undefined) summaries.push(found);
  }
  return {
    directory: path,
    formatVersion,
    isInUse,
    cluster,
    tables: [...[...tables.values()].flatMap(knownTables), ...[...streams.values()].map(knownStream)],
    nodes: summaries,
    item: item === undefined ? undefined : await inspectItem(item, [...tables.values()], cluster, wanted),
  };
}

async function inspectItem(
  { table: name, namespace, key: text }: NonNullable<InspectOptions['item']>,
  tables: readonly Table[],
  cluster: DataDirectoryView['cluster'],
  nodes: DataDirectoryView['nodes'],
): Promise<InspectedItem> {
  const table = tables.find((each) => each.name === name && each.namespace === namespace);
  if (table === undefined) {
    const known = tables.map((each) => (each.namespace === '' ? each.name : `${each.namespace}/${each.name}`));
    throw new InspectError(`there is no table ${name}: there are ${known.join(', ') || 'none'}`);
  }
  const key = storeKeyOf({ table: table.storageId, ...encodedKey(table, text) }, cluster.partitions);
  const partition = partitionOf(key);
  const { epoch, members } = cluster.configs[partition]!;
  const copies: ItemCopies[] = [];
  for (const { id, folder } of nodes) {
    const found = await reading(folder, (rows) => copiesOf(id, rows, key));
    if (typeof found === 'string') throw new InspectError(`${id} cannot be read: ${found}`);
    copies.push(found);
  }
  return { partition, epoch, members: members.map((member) => member.node), copies };
}

function encodedKey(table: Table, text: string) {
  let key: AttributeMap;
  try {
    key = JSON.parse(text) as AttributeMap;
  } catch {
    throw new InspectError(`--key must be JSON such as {"id":{"S":"a"}}, not ${JSON.stringify(text)}`);
  }
  try {
    normaliseMap(key);
    return keyOfKey(table.key, key);
  } catch (error) {
    throw new InspectError(`--key is no key of ${table.name}: ${(error as Error).message}`);
  }
}

function knownTables({ namespace, name, storageId, indexes }: Table): readonly KnownTable[] {
  const inHex = (id: ByteString) => Buffer.from(id, 'latin1').toString('hex');
  return [
    { namespace, name, storageId: inHex(storageId) },
    ...indexes.flatMap((index) =>
      index.storageId === undefined ? [] : [{ namespace, name, index: index.name, storageId: inHex(index.storageId) }],
    ),
  ];
}

function knownStream({ namespace, table, storageId, ...row }: StreamRow): KnownTable {
  const inHex = Buffer.from(storageId, 'latin1').toString('hex');
  return { namespace, name: table, stream: streamLabel(row), storageId: inHex };
}

/** What a node knows of tables and streams, the newest definition of each. */
function definitionsIn(rows: StoredRows): {
  readonly tables: readonly Table[];
  readonly streams: readonly StreamRow[];
} {
  const newest = new Map<string, ItemRecord>();
  for (const name of ['items', 'paxos'] as const) {
    for (const { key, value } of rows.rows(name)) {
      if (key.slice(2, 2 + SYSTEM_TABLE.length) !== SYSTEM_TABLE || value === DAMAGED) continue;
      const record = decodeRecord(value);
      const known = newest.get(key);
      if (known === undefined || compareBallots(record.ballot, known.ballot) > 0) newest.set(key, record);
    }
  }
  const itemsOf = (isWanted: (partitionKey: ByteString) => boolean) =>
    [...newest.values()].flatMap(({ item, partitionKey }) =>
      item !== undefined && isWanted(partitionKey) ? [item] : [],
    );
  return {
    tables: itemsOf(isDefinitionAt).map((item) => parseDefinition(definitionText(item))),
    streams: itemsOf(isStreamRowAt).map(parseStreamRow),
  };
}
