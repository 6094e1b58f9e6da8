import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import { checkDistinctKeys, checkNotMixed, duplicateKeys } from '../api/batch-rules.ts';
import {
  type ConsumedCapacity,
  type ReadConsistency,
  readConsistencyOf,
  readUnits,
  sumOfWriteUnits,
  unitsCapacity,
  type WriteUnits,
  wantsCapacity,
  writeUnits,
} from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import type { Projection } from '../api/expression/ast.ts';
import { checkKeyPaths } from '../api/expression/key-paths.ts';
import { applyProjection } from '../api/expression/projection.ts';
import { checkExpressionParameters, resolveExpressions } from '../api/expression/resolve.ts';
import { checkCollectionEntry, checkIndexKeys } from '../api/index-entry.ts';
import { fromImage, type ItemImage, toImage } from '../api/item.ts';
import type { Mutation } from '../api/mutation.ts';
import {
  type BatchGetItemRequest,
  type BatchWrite,
  type BatchWriteItemRequest,
  type KeysAndAttributes,
  RawJson,
  type RequestContext,
} from '../api/operations.ts';
import { type EncodedKey, keyOfItem, keyOfKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { VALUE_TEXTS } from '../api/value-texts.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { inParallel } from './in-parallel.ts';
import type { ItemParts } from './item-operations.ts';
import { type ItemCollectionMetrics, sizedItem } from './item-write.ts';
import { byTable, metricsByTable } from './members-by-table.ts';
import { ofTable } from './of-table.ts';
import type { ReadRoom } from './read-room.ts';
import { BATCH_PARALLELISM } from './router-limits.ts';
import type { ThroughputGate } from './throughput.ts';
import { forgetGoneOf } from './unless-gone.ts';

/** API reference, BatchGetItem and BatchWriteItem: for all tables together. */
const MAX_KEYS = 100;
const MAX_WRITES = 25;
const TEXTS = VALUE_TEXTS.BatchWriteItem;
/** API reference, BatchGetItem: keys whose items would exceed it are answered as unprocessed. */
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
/** The same bound on the JSON text: for an item of a hundred thousand empty strings it is ten times as long. */
const MAX_RESPONSE_JSON_BYTES = 48 * 1024 * 1024;

export interface BatchGetItemResponse {
  Responses: Record<string, (RawJson | AttributeMap)[]>;
  UnprocessedKeys: Record<string, KeysAndAttributes>;
  ConsumedCapacity?: ConsumedCapacity[];
}

export interface BatchWriteItemResponse {
  UnprocessedItems: Record<string, BatchWrite[]>;
  ItemCollectionMetrics?: Record<string, ItemCollectionMetrics[]>;
  ConsumedCapacity?: ConsumedCapacity[];
}

export interface BatchOperations {
  batchGetItem(request: BatchGetItemRequest, context: RequestContext, namespace: string): Promise<BatchGetItemResponse>;
  batchWriteItem(
    request: BatchWriteItemRequest,
    context: RequestContext,
    namespace: string,
  ): Promise<BatchWriteItemResponse>;
}

/**
 * BatchGetItem and BatchWriteItem. An invalid part refuses the whole batch before anything is done. Then each item is
 * carried out like a GetItem, PutItem or DeleteItem of its own. Items that the cluster could not process, or that were
 * throttled, are answered as unprocessed; the batch fails only if no item was processed.
 *
 * The functions own their requests: they normalise values in place.
 * @param parts `room` bounds what BatchGetItem reads at a time
 */
export function createBatchOperations(parts: ItemParts & { readonly room: ReadRoom }): BatchOperations {
  const { client, catalog, throughput, room } = parts;
  return {
    async batchGetItem(request, context, namespace) {
      const wanted = Object.entries(request.RequestItems);
      checkCount('BatchGetItem', MAX_KEYS, wanted, ({ Keys }) => Keys.length);
      checkNotMixed(wanted.map(([, ofTable]) => ofTable));
      const projections = wanted.map(([, each]) => projectionOf(each));
      for (const [, { Keys }] of wanted) checkDistinctKeys(Keys);
      const reads: Read[] = [];
      for (const [at, [name, { Keys, ConsistentRead }]] of wanted.entries()) {
        const table = await catalog.tableFor(name, context, namespace);
        checkKeyPaths(table, { projection: projections[at] });
        for (const key of Keys) {
          const consistency = readConsistencyOf({ ConsistentRead });
          reads.push({ name, table, key, at: keyOfKey(table.key, key), consistency, projection: projections[at] });
        }
      }
      checkDistinct(reads);
      await readAll(reads, room, (read) => readOne(client, throughput, context, read));
      forgetGoneOf(catalog, reads);
      return answerOfReads(request, reads);
    },

    async batchWriteItem(request, context, namespace) {
      const wanted = Object.entries(request.RequestItems);
      checkCount('BatchWriteItem', MAX_WRITES, wanted, (writes) => writes.length);
      const images: (ItemImage | undefined)[][] = [];
      for (const [, ofTable] of wanted) {
        const ofThis: (ItemImage | undefined)[] = [];
        for (const asked of ofTable) {
          ofThis.push(imageOf(asked));
          if (context.pause !== undefined) await context.pause();
        }
        images.push(ofThis);
      }
      const writes: Write[] = [];
      for (const [at, [name, ofTable]] of wanted.entries()) {
        const table = await catalog.tableFor(name, context, namespace);
        for (const [index, asked] of ofTable.entries()) writes.push(writeOf(name, table, asked, images[at]![index]));
      }
      checkDistinct(writes);
      await inParallel(writes, BATCH_PARALLELISM, (write) => writeOne(client, throughput, context, write));
      forgetGoneOf(catalog, writes);
      return answerOfWrites(client, request, writes);
    },
  };
}

/** One item of a batch, and the result for it. */
interface Member {
  /** The table as the request names it. */
  readonly name: string;
  readonly table: Table;
  readonly at: EncodedKey;
  /** Why it was not processed. */
  error?: ApiError;
}

interface Read extends Member {
  readonly key: AttributeMap;
  readonly consistency: ReadConsistency;
  readonly projection: Projection | undefined;
  /** Undefined: it was not read. */
  found?: { readonly image: ItemImage | undefined };
}

interface Write extends Member {
  readonly asked: BatchWrite;
  /** The item or the key: either has the partition key. */
  readonly named: AttributeMap;
  readonly mutation: Mutation;
  /** The item after the write. */
  readonly after: { readonly size: number; readonly item: AttributeMap } | undefined;
  /** Undefined: it was not written. */
  units?: WriteUnits;
}

function checkCount<T>(
  operation: string,
  limit: number,
  wanted: readonly (readonly [string, T])[],
  countOf: (ofTable: T) => number,
): void {
  const count = wanted.reduce((sum, [, ofTable]) => sum + countOf(ofTable), 0);
  if (count > limit) throw ApiError.validation(`Too many items requested for the ${operation} call`);
}

/** No item may be in a batch twice, even if its table is named in two ways. */
function checkDistinct(members: readonly Member[]): void {
  const places = members.map(({ table, at }) => JSON.stringify([table.storageId, at.partitionKey, at.sortKey]));
  if (new Set(places).size < places.length) throw duplicateKeys();
}

function projectionOf(ofTable: KeysAndAttributes): Projection | undefined {
  checkExpressionParameters(ofTable);
  for (const key of ofTable.Keys) normaliseMap(key);
  return resolveExpressions(ofTable).projection;
}

async function readAll(reads: readonly Read[], room: ReadRoom, readOne: (read: Read) => Promise<void>): Promise<void> {
  const batch = room.begin();
  try {
    await inParallel(untilFull(reads), BATCH_PARALLELISM, async (read) => {
      const turn = room.take(batch);
      if (turn !== undefined) await turn;
      try {
        await readOne(read);
      } finally {
        room.give(batch, read.found?.image?.json.length ?? 0);
      }
    });
  } finally {
    await room.end(batch);
  }
}

/** Gives reads as long as there is room in the answer. */
function* untilFull(reads: readonly Read[]): Generator<Read> {
  for (const read of reads) {
    if (isFull(reads)) return;
    yield read;
  }
}

function isFull(reads: readonly Read[]): boolean {
  let bytes = 0;
  let jsonBytes = 0;
  for (const { found } of reads) {
    bytes += found?.image?.size ?? 0;
    jsonBytes += found?.image?.json.length ?? 0;
  }
  return bytes >= MAX_RESPONSE_BYTES || jsonBytes >= MAX_RESPONSE_JSON_BYTES;
}

async function readOne(
  client: DynamoClient,
  throughput: ThroughputGate | undefined,
  { eventualReadsFrom, requestId, departure }: RequestContext,
  read: Read,
): Promise<void> {
  const { table, at, consistency } = read;
  const outcome = await client.read({
    key: { table: table.storageId, ...at },
    from: consistency === 'strong' ? 'latest' : (eventualReadsFrom ?? 'committed'),
    ...ofTable(table),
    requestId,
    departure,
  });
  if (outcome.kind !== 'found' && outcome.kind !== 'none') {
    read.error = clusterError(outcome);
    return;
  }
  const image = outcome.kind === 'found' ? outcome.item : undefined;
  const units = readUnits(image?.size ?? 0, consistency);
  read.error = refusalOf(() => throughput?.chargeRead(table, at.partitionKey, units));
  if (read.error === undefined) read.found = { image };
}

/** The error of a charge that throughput limits refuse. */
function refusalOf(charge: () => void): ApiError | undefined {
  try {
    charge();
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

function answerOfReads(request: BatchGetItemRequest, reads: readonly Read[]): BatchGetItemResponse {
  const answered: Read[] = [];
  let bytes = 0;
  let jsonBytes = 0;
  for (const read of reads) {
    bytes += read.found?.image?.size ?? 0;
    jsonBytes += read.found?.image?.json.length ?? 0;
    // Items that were read while the answer became full are left to the next request too.
    const fits = bytes <= MAX_RESPONSE_BYTES && jsonBytes <= MAX_RESPONSE_JSON_BYTES;
    if (read.found !== undefined && fits) answered.push(read);
  }
  if (answered.length === 0) throwErrorOf(reads);
  const response: BatchGetItemResponse = { Responses: {}, UnprocessedKeys: {} };
  for (const [name, { Keys: _, ...parameters }] of Object.entries(request.RequestItems)) {
    const ofTable = reads.filter((read) => read.name === name);
    const isAnswered = (read: Read) => answered.includes(read);
    response.Responses[name] = ofTable.filter(isAnswered).flatMap(({ found, projection }) => {
      if (found?.image === undefined) return [];
      return [projection ? applyProjection(projection, fromImage(found.image)) : new RawJson(found.image.json)];
    });
    const Keys = ofTable.filter((read) => !isAnswered(read)).map(({ key }) => key);
    if (Keys.length > 0) response.UnprocessedKeys[name] = { Keys, ...parameters };
  }
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level)) {
    response.ConsumedCapacity = byTable(answered).map(([name, ofTable]) => {
      const units = ofTable.map(({ found, consistency }) => readUnits(found?.image?.size ?? 0, consistency));
      return unitsCapacity(level, name, { table: units.reduce((sum, each) => sum + each, 0), indexes: [] });
    });
  }
  return response;
}

/** Checks one write by itself. @returns the image of the item to put; undefined for a delete */
function imageOf({ PutRequest, DeleteRequest }: BatchWrite): ItemImage | undefined {
  if ((PutRequest == null) === (DeleteRequest == null)) {
    throw ApiError.validation(
      'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes',
    );
  }
  if (PutRequest == null) {
    normaliseMap(DeleteRequest!.Key, TEXTS);
    return undefined;
  }
  normaliseMap(PutRequest.Item, TEXTS);
  return toImage(PutRequest.Item);
}

/** @param image of the item to put; undefined for a delete */
function writeOf(name: string, table: Table, asked: BatchWrite, image: ItemImage | undefined): Write {
  if (image === undefined) {
    const named = asked.DeleteRequest!.Key;
    return {
      name,
      table,
      asked,
      named,
      at: keyOfKey(table.key, named),
      mutation: { kind: 'delete' },
      after: undefined,
    };
  }
  const named = asked.PutRequest!.Item;
  const at = keyOfItem(table.key, named, TEXTS);
  checkIndexKeys(table.indexes, named);
  checkCollectionEntry(table, named, image.size);
  return {
    name,
    table,
    asked,
    named,
    at,
    mutation: { kind: 'put', item: image },
    after: { size: image.size, item: named },
  };
}

async function writeOne(
  client: DynamoClient,
  throughput: ThroughputGate | undefined,
  { requestId }: RequestContext,
  write: Write,
): Promise<void> {
  const { table, at, mutation, after } = write;
  let settle: ((consumed: WriteUnits) => void) | undefined;
  write.error = refusalOf(() => {
    settle = throughput?.chargeWrite(table, at.partitionKey, writeUnits(table, undefined, after));
  });
  if (write.error !== undefined) return;
  const outcome = await client.write({ table: table.storageId, ...at }, mutation, {
    ...ofTable(table),
    wantsOld: false,
    requestId,
  });
  if (outcome.kind === 'condition-failed') throw new Error('a write without a condition failed by one');
  if (outcome.kind !== 'applied') {
    write.error = clusterError(outcome, table);
    return;
  }
  write.units = writeUnits(table, outcome.old && sizedItem(table, outcome.old), after);
  settle?.(write.units);
}

async function answerOfWrites(
  client: DynamoClient,
  request: BatchWriteItemRequest,
  writes: readonly Write[],
): Promise<BatchWriteItemResponse> {
  const written = writes.filter(({ units }) => units !== undefined);
  // A transaction that holds all items is no error of a batch: they are to be written later.
  if (written.length === 0 && !writes.every(({ error }) => error?.name === 'TransactionConflictException')) {
    throwErrorOf(writes);
  }
  const response: BatchWriteItemResponse = { UnprocessedItems: {} };
  for (const [name, ofTable] of byTable(writes.filter(({ units }) => units === undefined))) {
    response.UnprocessedItems[name] = ofTable.map(({ asked }) => asked);
  }
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level)) {
    response.ConsumedCapacity = byTable(written).map(([name, ofTable]) =>
      unitsCapacity(level, name, sumOfWriteUnits(ofTable.map(({ units }) => units!))),
    );
  }
  if (request.ReturnItemCollectionMetrics === 'SIZE')
    response.ItemCollectionMetrics = await metricsByTable(client, written);
  return response;
}

/** API reference, BatchWriteItem: if none of the items can be processed, it is an error. */
function throwErrorOf(members: readonly Member[]): never {
  const failed = members.find(({ error }) => error !== undefined);
  throw failed?.error ?? ApiError.internalServerError('Internal server error');
}
