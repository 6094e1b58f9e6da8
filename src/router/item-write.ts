import type { AttributeMap } from '../api/attribute-value.ts';
import { type ConsumedCapacity, type SizedItem, wantsCapacity, writeCapacity } from '../api/consumed-capacity.ts';
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
import type { EncodedKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';

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

type AppliedWrite = Extract<MutationOutcome, { kind: 'applied' }>;

/**
 * Lets the cluster apply a mutation.
 * @throws ApiError if it was refused, or if the cluster could not do it
 */
export async function write(
  client: DynamoClient,
  request: WriteRequest,
  context: RequestContext,
  table: Table,
  { partitionKey, sortKey }: EncodedKey,
  mutation: Mutation,
): Promise<AppliedWrite> {
  // A table in dynamo mode pays for the old item only where it is asked for: its capacity then counts the new one alone.
  const outcome = await client.write({ table: table.storageId, partitionKey, sortKey }, mutation, {
    consistency: table.consistency ?? 'strict',
    wantsOld: request.ReturnValues === 'ALL_OLD',
    requestId: context.requestId,
  });
  if (outcome.kind === 'applied') return outcome;
  if (outcome.kind !== 'condition-failed') throw clusterError(outcome);
  const isWanted = request.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && outcome.current !== undefined;
  throw ApiError.conditionalCheckFailed(isWanted ? new RawJson(outcome.current!.json) : undefined);
}

/**
 * What PutItem and DeleteItem answer, and UpdateItem beside its `Attributes`.
 * @param named a map that holds the partition key: the item or the key of the request
 */
export function writeResponse(
  request: WriteRequest,
  table: Table,
  named: AttributeMap,
  old: ItemImage | undefined,
  after: SizedItem | undefined,
): WriteItemResponse {
  const response: WriteItemResponse = {};
  if (request.ReturnValues === 'ALL_OLD' && old !== undefined) response.Attributes = new RawJson(old.json);
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level)) {
    const before = old && sizedItem(table, old);
    response.ConsumedCapacity = writeCapacity(level, request.TableName, table, before, after);
  }
  if (request.ReturnItemCollectionMetrics === 'SIZE' && table.indexes.some(({ kind }) => kind === 'local')) {
    response.ItemCollectionMetrics = collectionMetrics(table, named);
  }
  return response;
}

/** Only indexes need the old item itself; without them its parsing is spared. */
export function sizedItem(table: Table, image: ItemImage): SizedItem {
  return { size: image.size, item: table.indexes.length === 0 ? {} : fromImage(image) };
}

/**
 * The service's lower and upper bound of the collection's size, in GB. They are an estimate there; here they are the
 * range that a collection under 1 GB has, without looking.
 */
export function collectionMetrics(table: Table, named: AttributeMap): ItemCollectionMetrics {
  const { name } = table.key.partition;
  return { ItemCollectionKey: Object.fromEntries([[name, named[name]!]]), SizeEstimateRangeGB: [0, 1] };
}
