import { type AttributeMap, normaliseMap } from '../api/attribute-value.ts';
import { writeUnits } from '../api/consumed-capacity.ts';
import type { Update } from '../api/expression/ast.ts';
import { checkKeyPaths } from '../api/expression/key-paths.ts';
import { applyProjection } from '../api/expression/projection.ts';
import {
  type ConditionalUpdate,
  checkUpdateParameters,
  resolveUpdateParameters,
} from '../api/expression/resolve-update-parameters.ts';
import { fromImage, type ItemImage } from '../api/item.ts';
import type { Mutation } from '../api/mutation.ts';
import { RawJson, type RequestContext, type UpdateItemRequest } from '../api/operations.ts';
import { keyOfKey } from '../api/primary-key.ts';
import { checkAlone } from '../api/refusal.ts';
import { checkKeyStays, leastItem } from '../api/updated-item.ts';
import type { ItemParts, OnTable } from './item-operations.ts';
import { sizedItem, type WriteItemResponse, write, writeResponse } from './item-write.ts';

export interface UpdateOperation {
  updateItem(request: UpdateItemRequest, context: RequestContext, namespace: string): Promise<WriteItemResponse>;
  /** What UpdateItem does when it knows the table. Statements begin here. */
  updateOnTable(on: OnTable<UpdateItemRequest>, checked: ConditionalUpdate): Promise<WriteItemResponse>;
}

/**
 * UpdateItem. It checks in the order of `createItemOperations`; rules that depend on the stored item are checked where
 * the mutation is applied. The function owns its request: it normalises values in place.
 */
export function createUpdateOperation({ client, catalog, throughput }: ItemParts): UpdateOperation {
  const operation: UpdateOperation = {
    async updateItem(request, context, namespace) {
      const checked = checkAlone('UpdateItem', request, checkedUpdate);
      const found = catalog.tableFor(request.TableName, context, namespace);
      const table = found instanceof Promise ? await found : found;
      return operation.updateOnTable({ table, request, context }, checked);
    },

    async updateOnTable({ table, request, context }, { update, condition }) {
      const key = keyOfKey(table.key, request.Key);
      checkKeyPaths(table, { update, condition });
      checkKeyStays(table.key, update);
      const settle = throughput?.chargeWrite(
        table,
        key.partitionKey,
        writeUnits(table, undefined, leastItem(request.Key, update)),
      );
      const mutation: Mutation = {
        kind: 'update',
        update,
        key: request.Key,
        table: { key: table.key, indexes: table.indexes },
        condition,
      };
      const { old, next, collection } = await write(client, { request, context, table, key, mutation });
      const after = next && sizedItem(table, next);
      settle?.(writeUnits(table, old && sizedItem(table, old), after));
      const response = writeResponse(request, table, { collection, old, after });
      const Attributes = returnedAttributes(request, update, old, next);
      return Attributes === undefined ? response : { ...response, Attributes };
    },
  };
  return operation;
}

function checkedUpdate(request: UpdateItemRequest): ConditionalUpdate {
  checkUpdateParameters(request);
  normaliseMap(request.Key);
  return resolveUpdateParameters(request);
}

/**
 * API reference, UpdateItem, `ReturnValues`: for an updated document path, only the value that the path leads to. For a
 * list element that was removed, this is the element that now has its index (recorded 2026-09-20 to 2026-10-09,
 * eu-west-2 and us-east-1).
 */
function returnedAttributes(
  { ReturnValues }: UpdateItemRequest,
  { actions }: Update,
  old: ItemImage | undefined,
  next: ItemImage | undefined,
): RawJson | AttributeMap | undefined {
  switch (ReturnValues) {
    case 'ALL_OLD':
      return old && new RawJson(old.json);
    case 'ALL_NEW':
      return next && new RawJson(next.json);
    case 'UPDATED_OLD':
      return pathsOf(old, actions);
    case 'UPDATED_NEW':
      return pathsOf(next, actions);
    default:
      return undefined;
  }
}

function pathsOf(image: ItemImage | undefined, actions: Update['actions']): AttributeMap | undefined {
  if (image === undefined || actions.length === 0) return undefined;
  const kept = applyProjection(
    actions.map(({ path }) => path),
    fromImage(image),
  );
  return Object.keys(kept).length === 0 ? undefined : kept;
}
