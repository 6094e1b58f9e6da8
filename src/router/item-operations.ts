import { type AttributeMap, NESTED_TOO_DEEP, normaliseMap } from '../api/attribute-value.ts';
import {
  type ConsumedCapacity,
  readCapacity,
  readConsistencyOf,
  readUnits,
  wantsCapacity,
  writeUnits,
} from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import type { Condition, Projection } from '../api/expression/ast.ts';
import { checkKeyPaths } from '../api/expression/key-paths.ts';
import { applyProjection } from '../api/expression/projection.ts';
import { checkExpressionParameters, type ResolvedExpressions, resolveExpressions } from '../api/expression/resolve.ts';
import { checkCollectionEntry, checkIndexKeys } from '../api/index-entry.ts';
import { fromImage, type ItemImage, toImage } from '../api/item.ts';
import { toImageInSlices } from '../api/large-item.ts';
import type { Mutation } from '../api/mutation.ts';
import {
  type DeleteItemRequest,
  type GetItemRequest,
  type PutItemRequest,
  RawJson,
  type RequestContext,
} from '../api/operations.ts';
import { keyOfItem, keyOfKey } from '../api/primary-key.ts';
import { checkAlone } from '../api/refusal.ts';
import type { Table } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { sizedItem, type WriteItemResponse, write, writeResponse } from './item-write.ts';
import { ofTable } from './of-table.ts';
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

/** A request that was checked by itself, and its table. Of the request's expressions, none is read any more. */
export interface OnTable<Request> {
  readonly table: Table;
  readonly request: Request;
  readonly context: RequestContext;
}

/** What these operations do when they know the table. Statements have no texts of expressions, and begin here. */
export interface ItemsOfTable {
  /** @param image of the request's item, which is normalised */
  put(on: OnTable<PutItemRequest>, image: ItemImage, condition: Condition | undefined): Promise<WriteItemResponse>;
  get(on: OnTable<GetItemRequest>, projection: Projection | undefined): Promise<GetItemResponse>;
  delete(on: OnTable<DeleteItemRequest>, condition: Condition | undefined): Promise<WriteItemResponse>;
}

/** What the operations on items are made from. */
export interface ItemParts {
  readonly client: DynamoClient;
  readonly catalog: TableCatalog;
  /** Undefined: throughput is not limited. */
  readonly throughput: ThroughputGate | undefined;
}

export function createItemsOfTable({ client, throughput }: ItemParts): ItemsOfTable {
  return {
    async put({ table, request, context }, image, condition) {
      const key = keyOfItem(table.key, request.Item);
      if (condition !== undefined) checkKeyPaths(table, { condition });
      checkIndexKeys(table.indexes, request.Item);
      checkCollectionEntry(table, request.Item, image.size);
      const after = { size: image.size, item: request.Item };
      const settle = throughput?.chargeWrite(table, key.partitionKey, writeUnits(table, undefined, after));
      const mutation: Mutation = { kind: 'put', item: image, condition };
      const { old, collection } = await write(client, { request, context, table, key, mutation });
      settle?.(writeUnits(table, old && sizedItem(table, old), after));
      return writeResponse(request, table, { collection, old, after });
    },

    async get({ table, request, context }, projection) {
      const { partitionKey, sortKey } = keyOfKey(table.key, request.Key);
      if (projection !== undefined) checkKeyPaths(table, { projection });
      const { consistency, derivation } = ofTable(table);
      const outcome = await client.read({
        key: { table: table.storageId, partitionKey, sortKey },
        from: readFromOf(request, context),
        consistency,
        derivation,
        requestId: context.requestId,
        departure: context.departure,
      });
      if (outcome.kind !== 'found' && outcome.kind !== 'none') throw clusterError(outcome);

      const response: GetItemResponse = {};
      const image = outcome.kind === 'found' ? outcome.item : undefined;
      throughput?.chargeRead(table, partitionKey, readUnits(image?.size ?? 0, readConsistencyOf(request)));
      if (image !== undefined) {
        response.Item = projection ? applyProjection(projection, fromImage(image)) : new RawJson(image.json);
      }
      const level = request.ReturnConsumedCapacity;
      if (wantsCapacity(level)) {
        response.ConsumedCapacity = readCapacity(
          level,
          request.TableName,
          image?.size ?? 0,
          readConsistencyOf(request),
        );
      }
      return response;
    },

    async delete({ table, request, context }, condition) {
      const key = keyOfKey(table.key, request.Key);
      if (condition !== undefined) checkKeyPaths(table, { condition });
      const settle = throughput?.chargeWrite(table, key.partitionKey, writeUnits(table, undefined, undefined));
      const mutation: Mutation = { kind: 'delete', condition };
      const { old, collection } = await write(client, { request, context, table, key, mutation });
      settle?.(writeUnits(table, old && sizedItem(table, old), undefined));
      return writeResponse(request, table, { collection, old, after: undefined });
    },
  };
}

/**
 * PutItem, GetItem and DeleteItem. Each of them checks in the service's order: first the request by itself (rules
 * between parameters, then values, then expressions), then the table, then the key against the table. Only then it goes
 * to the cluster.
 *
 * The functions own their requests: they normalise values in place.
 */
export function createItemOperations(
  parts: ItemParts,
  onTable: ItemsOfTable = createItemsOfTable(parts),
): ItemOperations {
  const { catalog } = parts;
  return {
    async putItem(request, context, namespace) {
      const { condition } = checkAlone('PutItem', request, checkPut);
      const image =
        context.pause === undefined ? toImage(request.Item) : await toImageInSlices(request.Item, context.pause);
      const found = catalog.tableFor(request.TableName, context, namespace);
      const table = found instanceof Promise ? await found : found;
      return onTable.put({ table, request, context }, image, condition);
    },

    async getItem(request, context, namespace) {
      checkExpressionParameters(request);
      normaliseMap(request.Key);
      const { projection } = resolveExpressions(request);
      const found = catalog.tableFor(request.TableName, context, namespace);
      const table = found instanceof Promise ? await found : found;
      return onTable.get({ table, request, context }, projection);
    },

    async deleteItem(request, context, namespace) {
      const { condition } = checkAlone('DeleteItem', request, checkDelete);
      const found = catalog.tableFor(request.TableName, context, namespace);
      const table = found instanceof Promise ? await found : found;
      return onTable.delete({ table, request, context }, condition);
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
    // As recorded: ReturnValues is checked before the depth of a document.
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
