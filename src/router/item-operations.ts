import { type AttributeMap, NESTED_TOO_DEEP, normaliseMap } from '../api/attribute-value.ts';
import { type ConsumedCapacity, readCapacity, readUnits, wantsCapacity, writeUnits } from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import { checkKeyPaths } from '../api/expression/key-paths.ts';
import { applyProjection } from '../api/expression/projection.ts';
import { checkExpressionParameters, type ResolvedExpressions, resolveExpressions } from '../api/expression/resolve.ts';
import { checkCollectionEntry, checkIndexKeys } from '../api/index-entry.ts';
import { fromImage, toImage } from '../api/item.ts';
import { toImageInSlices } from '../api/large-item.ts';
import {
  type DeleteItemRequest,
  type GetItemRequest,
  type PutItemRequest,
  RawJson,
  type RequestContext,
} from '../api/operations.ts';
import { keyOfItem, keyOfKey } from '../api/primary-key.ts';
import { checkAlone } from '../api/refusal.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { sizedItem, type WriteItemResponse, write, writeResponse } from './item-write.ts';
import { readFromOf } from './read-from.ts';
import type { TableCatalog } from './table-catalog.ts';
import type { ThroughputGate } from './throughput.ts';

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
      const { condition } = checkAlone('PutItem', request, checkPut);
      const image =
        context.pause === undefined ? toImage(request.Item) : await toImageInSlices(request.Item, context.pause);
      const table =
        catalog.cached(namespace, request.TableName) ??
        (await catalog.get(namespace, request.TableName, context.nowMs));
      const key = keyOfItem(table.key, request.Item);
      if (condition !== undefined) checkKeyPaths(table, { condition });
      checkIndexKeys(table.indexes, request.Item);
      checkCollectionEntry(table, request.Item, image.size);
      const after = { size: image.size, item: request.Item };
      const settle = throughput?.chargeWrite(table, key.partitionKey, writeUnits(table, undefined, after));
      const { old } = await write(client, request, context, table, key, { kind: 'put', item: image, condition });
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
      if (projection !== undefined) checkKeyPaths(table, { projection });
      const consistent = request.ConsistentRead === true;
      const outcome = await client.read({
        key: { table: table.storageId, partitionKey, sortKey },
        from: readFromOf(request, context),
        consistency: table.consistency ?? 'strict',
        requestId: context.requestId,
      });
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
      const { condition } = checkAlone('DeleteItem', request, checkDelete);
      const table =
        catalog.cached(namespace, request.TableName) ??
        (await catalog.get(namespace, request.TableName, context.nowMs));
      const key = keyOfKey(table.key, request.Key);
      if (condition !== undefined) checkKeyPaths(table, { condition });
      const settle = throughput?.chargeWrite(table, key.partitionKey, writeUnits(table, undefined, undefined));
      const { old } = await write(client, request, context, table, key, { kind: 'delete', condition });
      settle?.(writeUnits(table, old && sizedItem(table, old), undefined));
      return writeResponse(request, table, request.Key, old, undefined);
    },
  };
}

function checkPut(request: PutItemRequest): ResolvedExpressions {
  return checkWrite(request, request.Item);
}

function checkDelete(request: DeleteItemRequest): ResolvedExpressions {
  return checkWrite(request, request.Key);
}

function checkWrite(request: PutItemRequest | DeleteItemRequest, named: AttributeMap): ResolvedExpressions {
  checkExpressionParameters(request);
  try {
    normaliseMap(named);
  } catch (error) {
    // Recorded of a document that is nested too deeply: it comes after what is to be returned.
    if (error instanceof ApiError && error.message === NESTED_TOO_DEEP) checkReturnValues(request);
    throw error;
  }
  checkReturnValues(request);
  return resolveExpressions(request);
}

function checkReturnValues({ ReturnValues }: PutItemRequest | DeleteItemRequest): void {
  if (ReturnValues != null && ReturnValues !== 'ALL_OLD' && ReturnValues !== 'NONE') {
    throw ApiError.validation('ReturnValues can only be ALL_OLD or NONE');
  }
}
