import type { AttributeMap } from '../api/attribute-value.ts';
import {
  type ConsumedCapacity,
  type SizedItem,
  unitsCapacity,
  wantsCapacity,
  writeUnits,
} from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import { fromImage, type ItemImage } from '../api/item.ts';
import type { Mutation, MutationOutcome } from '../api/mutation.ts';
import {
  type DeleteItemRequest,
  type PutItemRequest,
  RawJson,
  type RequestContext,
  type UpdateItemRequest,
} from '../api/operations.ts';
import type { ByteString, EncodedKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { ofTable } from './of-table.ts';

/** The API's `ItemCollectionMetrics`. */
export interface ItemCollectionMetrics {
  readonly ItemCollectionKey: AttributeMap;
  readonly SizeEstimateRangeGB: readonly [number, number];
}

/** The response of PutItem, UpdateItem and DeleteItem. */
export interface WriteItemResponse {
  Attributes?: RawJson | AttributeMap;
  ConsumedCapacity?: ConsumedCapacity;
  ItemCollectionMetrics?: ItemCollectionMetrics;
}

type WriteRequest = PutItemRequest | UpdateItemRequest | DeleteItemRequest;

interface AppliedWrite extends Extract<MutationOutcome, { kind: 'applied' }> {
  /** If the request wants it, and the table has local indexes. */
  readonly collection?: ItemCollectionMetrics | undefined;
}

/** A write of one item that has passed all checks. */
export interface ItemWrite {
  readonly request: WriteRequest;
  readonly context: RequestContext;
  readonly table: Table;
  readonly key: EncodedKey;
  readonly mutation: Mutation;
}

/**
 * Lets the cluster apply a mutation.
 * @throws ApiError if the condition failed, the item refused the mutation, or the cluster could not do it
 */
export async function write(
  client: DynamoClient,
  { request, context, table, key: { partitionKey, sortKey }, mutation }: ItemWrite,
): Promise<AppliedWrite> {
  // In dynamo mode the old item costs a read, so it is read only if the request wants it. Without it, consumed capacity
  // counts the new item alone.
  // Written out: a copy by `...` takes a twentieth of what a PutItem takes in this process.
  const { consistency, derivation } = ofTable(table);
  const outcome = await client.write({ table: table.storageId, partitionKey, sortKey }, mutation, {
    consistency,
    derivation,
    wantsOld: request.ReturnValues === 'ALL_OLD',
    requestId: context.requestId,
  });
  if (outcome.kind === 'applied') {
    if (request.ReturnItemCollectionMetrics !== 'SIZE' || !hasCollections(table)) return outcome;
    const named = 'Item' in request ? request.Item : request.Key;
    return { ...outcome, collection: await collectionMetrics(client, table, { named, partitionKey }) };
  }
  if (outcome.kind !== 'condition-failed') throw clusterError(outcome, table);
  const isWanted = request.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && outcome.current !== undefined;
  throw ApiError.conditionalCheckFailed(isWanted ? new RawJson(outcome.current!.json) : undefined);
}

/** What became of a write. */
export interface WrittenItem {
  readonly collection: ItemCollectionMetrics | undefined;
  /** The item that was there before, as far as it is known. */
  readonly old: ItemImage | undefined;
  /** The item that is there now. */
  readonly after: SizedItem | undefined;
}

/** What PutItem and DeleteItem answer. UpdateItem answers the same, but for its `Attributes`. */
export function writeResponse(
  request: WriteRequest,
  table: Table,
  { collection, old, after }: WrittenItem,
): WriteItemResponse {
  const response: WriteItemResponse = {};
  if (request.ReturnValues === 'ALL_OLD' && old !== undefined) response.Attributes = new RawJson(old.json);
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level)) {
    const before = old && sizedItem(table, old);
    response.ConsumedCapacity = unitsCapacity(level, request.TableName, writeUnits(table, before, after));
  }
  if (collection !== undefined) response.ItemCollectionMetrics = collection;
  return response;
}

/** The item is parsed only for a table with indexes: without them, its size is enough. */
export function sizedItem(table: Table, image: ItemImage): SizedItem {
  return { size: image.size, item: table.indexes.length === 0 ? {} : fromImage(image) };
}

/** Whether the service keeps the sizes of the table's item collections: only if it has local indexes. */
export function hasCollections({ indexes }: Table): boolean {
  return indexes.some(({ kind }) => kind === 'local');
}

const GIGABYTE = 1024 ** 3;

/**
 * The size of an item collection, as whole GB below and above it: an answer of the service for a small one is `[0.0, 1.0]`
 * (developer guide, "Item collections"). That is also answered if no replica says how large it is.
 * @param named any map that has the partition key
 */
export async function collectionMetrics(
  client: DynamoClient,
  { storageId, key }: Table,
  { named, partitionKey }: { readonly named: AttributeMap; readonly partitionKey: ByteString },
): Promise<ItemCollectionMetrics> {
  const { name } = key.partition;
  const bytes = (await client.collectionBytes({ table: storageId, partitionKey })) ?? 0;
  const low = Math.floor(bytes / GIGABYTE);
  return { ItemCollectionKey: Object.fromEntries([[name, named[name]!]]), SizeEstimateRangeGB: [low, low + 1] };
}
