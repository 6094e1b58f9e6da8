import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import {
  type ConsumedCapacity,
  readCapacity,
  readUnits,
  type SizedItem,
  wantsCapacity,
  writeCapacity,
  writeUnits,
} from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import { applyProjection } from '../api/expression/projection.ts';
import { checkExpressionParameters, resolveExpressions } from '../api/expression/resolve.ts';
import { checkCollectionEntry, checkIndexKeys } from '../api/index-entry.ts';
import { fromImage, type ItemImage, toImage } from '../api/item.ts';
import type { Mutation } from '../api/mutation.ts';
import {
  type DeleteItemRequest,
  type GetItemRequest,
  type PutItemRequest,
  RawJson,
  type RequestContext,
} from '../api/operations.ts';
import { type EncodedKey, keyOfItem, keyOfKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { ThroughputGate } from './throughput.ts';

/** The API's `ItemCollectionMetrics`. */
export interface ItemCollectionMetrics {
  readonly ItemCollectionKey: AttributeMap;
  readonly SizeEstimateRangeGB: readonly [number, number];
}

/** The response of PutItem and of DeleteItem. */
export interface WriteItemResponse {
  Attributes?: RawJson;
  ConsumedCapacity?: ConsumedCapacity;
  ItemCollectionMetrics?: ItemCollectionMetrics;
}

export interface GetItemResponse {
  Item?: RawJson | AttributeMap;
  ConsumedCapacity?: ConsumedCapacity;
}

export interface ItemOperations {
  putItem(request: PutItemRequest, context: RequestContext, namespace: string): Promise<WriteItemResponse>;
  getItem(request: GetItemRequest, context: RequestContext, namespace: string): Promise<GetItemResponse>;
  deleteItem(request: DeleteItemRequest, context: RequestContext, namespace: string): Promise<WriteItemResponse>;
}

/**
 * PutItem, GetItem and DeleteItem. Each checks in the service's order: first what the request says by itself (rules
 * between parameters, then values, then expressions), then its table, then the key against the table, and only then it
 * goes to the cluster.
 *
 * The requests belong to these functions: their values are normalised in place.
 * @param throughput undefined: without limits
 */
export function createItemOperations(
  client: DynamoClient,
  catalog: TableCatalog,
  throughput?: ThroughputGate,
): ItemOperations {
  return {
    async putItem(request, context, namespace) {
      checkExpressionParameters(request);
      normaliseMap(request.Item);
      checkReturnValues(request);
      const image = toImage(request.Item);
      const { condition } = resolveExpressions(request);
      const table =
        catalog.cached(namespace, request.TableName) ??
        (await catalog.get(namespace, request.TableName, context.nowMs));
      const key = keyOfItem(table.key, request.Item);
      checkIndexKeys(table.indexes, request.Item);
      checkCollectionEntry(table, request.Item, image.size);
      const after = { size: image.size, item: request.Item };
      const settle = throughput?.chargeWrite(table, key.partitionKey, writeUnits(table, undefined, after));
      const old = await write(client, request, context, table, key, { kind: 'put', item: image, condition });
      settle?.(writeUnits(table, old && sizedItem(table, old), after));
      return writeResponse(request, table, request.Item, old, after);
    },

    async getItem(request, context, namespace) {
      checkExpressionParameters(request);
      normaliseMap(request.Key);
      const { projection } = resolveExpressions(request);
      const table =
        catalog.cached(namespace, request.TableName) ??
        (await catalog.get(namespace, request.TableName, context.nowMs));
      const { partitionKey, sortKey } = keyOfKey(table.key, request.Key);
      const consistent = request.ConsistentRead === true;
      const outcome = await client.read(
        { table: table.storageId, partitionKey, sortKey },
        consistent,
        table.consistency ?? 'strict',
        context.isLagging,
        context.requestId,
      );
      if (outcome.kind !== 'found' && outcome.kind !== 'none') throw clusterError(outcome);

      const response: GetItemResponse = {};
      const image = outcome.kind === 'found' ? outcome.item : undefined;
      throughput?.chargeRead(table, partitionKey, readUnits(image?.size ?? 0, consistent));
      if (image !== undefined) {
        response.Item = projection ? applyProjection(projection, fromImage(image)) : new RawJson(image.json);
      }
      const level = request.ReturnConsumedCapacity;
      if (wantsCapacity(level)) {
        response.ConsumedCapacity = readCapacity(level, request.TableName, image?.size ?? 0, consistent);
      }
      return response;
    },

    async deleteItem(request, context, namespace) {
      checkExpressionParameters(request);
      normaliseMap(request.Key);
      checkReturnValues(request);
      const { condition } = resolveExpressions(request);
      const table =
        catalog.cached(namespace, request.TableName) ??
        (await catalog.get(namespace, request.TableName, context.nowMs));
      const key = keyOfKey(table.key, request.Key);
      const settle = throughput?.chargeWrite(table, key.partitionKey, writeUnits(table, undefined, undefined));
      const old = await write(client, request, context, table, key, { kind: 'delete', condition });
      settle?.(writeUnits(table, old && sizedItem(table, old), undefined));
      return writeResponse(request, table, request.Key, old, undefined);
    },
  };
}

type WriteRequest = PutItemRequest | DeleteItemRequest;

function checkReturnValues({ ReturnValues }: WriteRequest): void {
  if (ReturnValues != null && ReturnValues !== 'ALL_OLD' && ReturnValues !== 'NONE') {
    throw ApiError.validation('ReturnValues can only be ALL_OLD or NONE');
  }
}

/** @returns the item that was there before */
async function write(
  client: DynamoClient,
  request: WriteRequest,
  context: RequestContext,
  table: Table,
  { partitionKey, sortKey }: EncodedKey,
  mutation: Mutation,
): Promise<ItemImage | undefined> {
  // A table in dynamo mode pays for the old item only where it is asked for: its capacity then counts the new one alone.
  const outcome = await client.write({ table: table.storageId, partitionKey, sortKey }, mutation, {
    consistency: table.consistency ?? 'strict',
    wantsOld: request.ReturnValues === 'ALL_OLD',
    requestId: context.requestId,
  });
  if (outcome.kind === 'applied') return outcome.old;
  if (outcome.kind !== 'condition-failed') throw clusterError(outcome);
  const isWanted = request.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && outcome.current !== undefined;
  throw ApiError.conditionalCheckFailed(isWanted ? new RawJson(outcome.current!.json) : undefined);
}

/** @param named a map that holds the partition key: the item or the key of the request */
function writeResponse(
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
