import { derivedStream } from '../api/derivation.ts';
import type { Condition } from '../api/expression/ast.ts';
import type { ItemImage } from '../api/item.ts';
import type { ByteString } from '../api/primary-key.ts';
import { RETENTION_MS, type StreamName, streamLabel } from '../api/stream.ts';
import type { Table } from '../api/table-definition.ts';
import { keySchemaElements } from '../api/table-description.ts';
import type { KeySchemaElement, StreamViewType } from '../api/table-requests.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE, type WriteOptions } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';

/*
 * The streams that can be read, as rows of the system table: one from the moment at which the definition of its table has it,
 * until a day after it was disabled or its table was deleted. The definition says which of them is the present one.
 */

/** What is known of a stream without the definition of its table. */
export interface StreamRow extends StreamName {
  readonly namespace: string;
  readonly storageId: ByteString;
  readonly shards: number;
  readonly viewType: StreamViewType;
  readonly tableArn: string;
  /** That of the table, which tells it from others of its name. */
  readonly tableStorageId: ByteString;
  readonly keySchema: readonly KeySchemaElement[];
  /** When the last of its changes was in its log, after it was disabled, by the clock of the API. */
  readonly endedAtMs?: number;
}

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };
const PARTITION_KEY = 'streams';
/** The one attribute of a row: JSON text. */
const ROW = 'stream';
const SEPARATOR = '/';
/** The least text above all texts that begin with the separator. */
const AFTER_SEPARATOR = '0';

/** The stream of a table, as far as changes of it are kept. @returns undefined if there is none */
export function rowOf(table: Table): StreamRow | undefined {
  const stream = derivedStream(table);
  if (stream === undefined) return undefined;
  return {
    namespace: table.namespace,
    table: table.name,
    startedAtMs: table.stream!.startedAtMs,
    storageId: stream.storageId,
    shards: stream.shards,
    viewType: stream.view,
    tableArn: table.arn,
    tableStorageId: table.storageId,
    keySchema: keySchemaElements({
      partition: [table.key.partition],
      sort: table.key.sort === undefined ? [] : [table.key.sort],
    }),
  };
}

/** Whether an item of the system table is a row of a stream, by its partition key. */
export function isStreamRowAt(partitionKey: ByteString): boolean {
  return partitionKey === PARTITION_KEY;
}

/** Whether nobody may read a stream any more. */
export function isOver({ endedAtMs }: Pick<StreamRow, 'endedAtMs'>, nowMs: number): boolean {
  return endedAtMs !== undefined && nowMs - endedAtMs >= RETENTION_MS;
}

/** @throws ApiError if the cluster fails */
export async function readStreamRow(
  client: DynamoClient,
  place: StreamName & { readonly namespace: string },
): Promise<StreamRow | undefined> {
  const outcome = await client.read({ key: keyOf(place), from: 'latest', consistency: 'strict' });
  if (outcome.kind === 'none') return undefined;
  if (outcome.kind !== 'found') throw clusterError(outcome);
  return parseStreamRow(outcome.item);
}

/** Writes the row of a table's stream, unless it is there. It follows the definition, and comes before all changes. */
export async function registerStream(client: DynamoClient, table: Table): Promise<void> {
  const row = rowOf(table);
  if (row === undefined) return;
  const known = await readStreamRow(client, row);
  if (known?.storageId !== row.storageId) await putStreamRow(client, row);
}

async function putStreamRow(client: DynamoClient, row: StreamRow): Promise<void> {
  const outcome = await client.write(keyOf(row), { kind: 'put', item: imageOf(row) }, STRICT);
  if (outcome.kind === 'applied') return;
  if (outcome.kind === 'condition-failed') throw new Error('a write without a condition failed by one');
  throw clusterError(outcome);
}

/** Notes when a stream ended, unless it was forgotten meanwhile, as by a reset: then it must not come back. */
export async function endStreamRow(client: DynamoClient, row: StreamRow, endedAtMs: number): Promise<void> {
  const item = imageOf({ ...row, endedAtMs });
  const condition: Condition = { kind: 'exists', path: [ROW] };
  const outcome = await client.write(keyOf(row), { kind: 'put', item, condition }, STRICT);
  if (outcome.kind !== 'applied' && outcome.kind !== 'condition-failed') throw clusterError(outcome);
}

export async function removeStreamRow(client: DynamoClient, row: StreamRow): Promise<void> {
  await client.write(keyOf(row), { kind: 'delete' }, STRICT);
}

export interface StreamRowPage {
  /** Undefined: of all. */
  readonly namespace: string | undefined;
  /** Only with a namespace. */
  readonly table?: string | undefined;
  /** Behind this stream, which need not exist. */
  readonly after: (StreamName & { readonly namespace: string }) | undefined;
  readonly limit: number;
  /** Default: forward. */
  readonly order?: 'forward' | 'backward';
}

/**
 * Streams by namespace, table and start.
 * @returns at most `limit`, and whether there are more
 * @throws ApiError if the cluster fails
 */
export async function listStreamRows(
  client: DynamoClient,
  { namespace, table, after, limit, order = 'forward' }: StreamRowPage,
): Promise<{ rows: StreamRow[]; more: boolean }> {
  const prefix = namespace === undefined ? '' : table === undefined ? namespace : namespace + SEPARATOR + table;
  const isBounded = namespace !== undefined;
  const lower = isBounded ? { sortKey: prefix + SEPARATOR, isInclusive: true } : undefined;
  const afterKey = after && { sortKey: keyOf(after).sortKey, isInclusive: false };
  const outcome = await client.range({
    table: SYSTEM_TABLE,
    partitionKey: PARTITION_KEY,
    lower: afterKey !== undefined && (lower === undefined || afterKey.sortKey > lower.sortKey) ? afterKey : lower,
    upper: isBounded ? { sortKey: prefix + AFTER_SEPARATOR, isInclusive: false } : undefined,
    order,
    limit,
    from: 'latest',
    consistency: 'strict',
  });
  if (outcome.kind !== 'items') throw clusterError(outcome);
  return { rows: outcome.items.map(parseStreamRow), more: outcome.more && outcome.items.length > 0 };
}

/** All rows of a namespace or, if it is undefined, of all, page by page. */
export async function* streamRowPages(
  client: DynamoClient,
  namespace: string | undefined,
  pageRows: number,
): AsyncGenerator<readonly StreamRow[]> {
  let after: StreamRow | undefined;
  for (let more = true; more; ) {
    const page = await listStreamRows(client, { namespace, after, limit: pageRows });
    yield page.rows;
    after = page.rows.at(-1);
    more = page.more && after !== undefined;
  }
}

function keyOf({ namespace, table, startedAtMs }: StreamName & { readonly namespace: string }): ItemKey {
  const sortKey = [namespace, table, streamLabel({ startedAtMs })].join(SEPARATOR);
  return { table: SYSTEM_TABLE, partitionKey: PARTITION_KEY, sortKey };
}

/** Ids are bytes, which JSON would write as other bytes. */
function imageOf({ storageId, tableStorageId, ...rest }: StreamRow): ItemImage {
  const text = JSON.stringify({ ...rest, storageId: hexOf(storageId), tableStorageId: hexOf(tableStorageId) });
  return {
    size: ROW.length + Buffer.byteLength(text),
    json: Buffer.from(JSON.stringify({ [ROW]: { S: text } })),
  };
}

export function parseStreamRow({ json }: ItemImage): StreamRow {
  const item = JSON.parse(Buffer.from(json).toString()) as { readonly [ROW]: { readonly S: string } };
  const { storageId, tableStorageId, ...rest } = JSON.parse(item[ROW].S) as StreamRow;
  return { ...rest, storageId: bytesOf(storageId), tableStorageId: bytesOf(tableStorageId) };
}

function hexOf(id: ByteString): string {
  return Buffer.from(id, 'latin1').toString('hex');
}

function bytesOf(hex: string): ByteString {
  return Buffer.from(hex, 'hex').toString('latin1');
}
