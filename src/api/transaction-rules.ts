import { type AttributeMap, NESTED_TOO_DEEP, normaliseMap } from './attribute-value.ts';
import { ApiError } from './errors.ts';
import type { Condition, Projection, Update } from './expression/ast.ts';
import { checkKeyPaths } from './expression/key-paths.ts';
import { resolveExpressions } from './expression/resolve.ts';
import { resolveUpdateParameters } from './expression/resolve-update-parameters.ts';
import { checkCollectionEntry, checkIndexKeys } from './index-entry.ts';
import { type ItemImage, sizeOf } from './item.ts';
import type {
  TransactConditionCheck,
  TransactDelete,
  TransactGet,
  TransactPut,
  TransactUpdate,
  TransactWriteItem,
} from './operations.ts';
import { type EncodedKey, isEmptyKey, keyOfItem, keyOfKey } from './primary-key.ts';
import type { Table } from './table-definition.ts';
import { checkKeyStays, leastItem } from './updated-item.ts';
import { VALUE_TEXTS } from './value-texts.ts';

/** API reference, TransactWriteItems and TransactGetItems: bytes of all items together. */
const MAX_TRANSACTION_BYTES = 4 * 1024 * 1024;

const TEXTS = VALUE_TEXTS.TransactWriteItems;

/** An action of TransactWriteItems whose parameters have passed the checks that need no table. */
export type CheckedAction = {
  /** A name or an ARN. */
  readonly tableName: string;
  /** The item to put, or the key: either has the partition key. */
  readonly named: AttributeMap;
  /** A fault that cancels the transaction, although it was found in the request. The action has no expressions then. */
  readonly fault?: ApiError | undefined;
  /** Whether the item is to be among the reasons if its condition fails. */
  readonly wantsItem: boolean;
  /** The reason if its condition fails. Default: a failed condition. */
  readonly failure?: ApiError | undefined;
} & (
  | { readonly kind: 'put' | 'delete'; readonly condition: Condition | undefined }
  | { readonly kind: 'check'; readonly condition: Condition }
  | { readonly kind: 'update'; readonly condition: Condition | undefined; readonly update: Update }
);

/**
 * Checks one member of TransactItems by itself. Values are normalised in place.
 *
 * Names and values that no expression could use are accepted if there is no expression at all (recorded by ExtendDB,
 * pull request 169).
 * @throws ApiError (ValidationException)
 */
export function checkedAction(member: TransactWriteItem): CheckedAction {
  const { ConditionCheck, Put, Delete, Update } = member;
  const given = [ConditionCheck, Put, Delete, Update].filter((action) => action != null);
  if (given.length === 0) {
    throw ApiError.validation('Invalid Request: TransactWriteRequest should contain Delete or Put or Update request');
  }
  if (given.length > 1) {
    throw ApiError.validation('TransactItems can only contain one of Check, Put, Update or Delete');
  }
  if (Put != null) return { ...withCondition(Put, Put.Item), kind: 'put' };
  if (Delete != null) return { ...withCondition(Delete, Delete.Key), kind: 'delete' };
  if (ConditionCheck != null) {
    const { condition, ...checked } = withCondition(ConditionCheck, ConditionCheck.Key);
    return { ...checked, kind: 'check', condition: condition! };
  }
  return checkedUpdate(Update!);
}

function withCondition(action: TransactPut | TransactDelete | TransactConditionCheck, named: AttributeMap) {
  normaliseMap(named, TEXTS);
  const { ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues } = action;
  const condition =
    ConditionExpression == null
      ? undefined
      : resolveExpressions(
          {
            ConditionExpression,
            ...(ExpressionAttributeNames != null && { ExpressionAttributeNames }),
            ...(ExpressionAttributeValues != null && { ExpressionAttributeValues }),
          },
          TEXTS,
        ).condition;
  return { ...common(action), named, condition };
}

function checkedUpdate(action: TransactUpdate): CheckedAction {
  const checked = { ...common(action), named: action.Key, kind: 'update' } as const;
  normaliseMap(action.Key, TEXTS);
  try {
    const { update, condition } = resolveUpdateParameters(action, TEXTS);
    return { ...checked, update, condition };
  } catch (error) {
    // Recorded in eu-west-2 and us-east-1, September 2026: only of an update, a value that is nested too deeply is a reason.
    if (!(error instanceof ApiError) || error.message !== NESTED_TOO_DEEP) throw error;
    return { ...checked, update: { origin: 'expression', actions: [] }, condition: undefined, fault: error };
  }
}

function common({ TableName, ReturnValuesOnConditionCheckFailure }: TransactDelete | TransactPut) {
  return { tableName: TableName, wantsItem: ReturnValuesOnConditionCheckFailure === 'ALL_OLD' };
}

/**
 * Checks one Get by itself. Values are normalised in place.
 * @returns its projection
 * @throws ApiError (ValidationException)
 */
export function checkedGet({
  Key,
  ProjectionExpression,
  ExpressionAttributeNames,
}: TransactGet): Projection | undefined {
  normaliseMap(Key);
  if (ProjectionExpression == null) return undefined;
  return resolveExpressions({
    ProjectionExpression,
    ...(ExpressionAttributeNames != null && { ExpressionAttributeNames }),
  }).projection;
}

/** What a check against the table has come to: the key, or a fault that cancels the transaction. */
export type Placed = { readonly at: EncodedKey } | { readonly fault: ApiError };

/**
 * Checks an action against its table. A key that does not match the schema, and every other fault, is a reason for which
 * the transaction is cancelled; but empty keys of tables and indexes are refused (recorded 2026-06 in eu-west-2,
 * us-east-1, ap-southeast-2 and eu-central-1).
 * @param image of the item to put
 * @throws ApiError (ValidationException) for an empty key
 */
export function placeAction(table: Table, action: CheckedAction, image: ItemImage | undefined): Placed {
  return placed(() => {
    const { named, condition } = action;
    const at = action.kind === 'put' ? keyOfItem(table.key, named) : keyOfKey(table.key, named);
    if (action.fault !== undefined) throw action.fault;
    const update = action.kind === 'update' ? action.update : undefined;
    checkKeyPaths(table, { condition, update });
    if (update !== undefined) {
      checkKeyStays(table.key, update);
      checkIndexKeys(table.indexes, leastItem(named, update).item, update.origin);
    }
    if (image !== undefined) {
      checkIndexKeys(table.indexes, named);
      checkCollectionEntry(table, named, image.size);
    }
    return at;
  });
}

/**
 * The same for a Get.
 * @throws ApiError (ValidationException) for an empty key
 */
export function placeGet(table: Table, key: AttributeMap, projection: Projection | undefined): Placed {
  return placed(() => {
    const at = keyOfKey(table.key, key);
    checkKeyPaths(table, { projection });
    return at;
  });
}

function placed(place: () => EncodedKey): Placed {
  try {
    return { at: place() };
  } catch (error) {
    if (!(error instanceof ApiError) || isEmptyKey(error)) throw error;
    return { fault: error };
  }
}

/**
 * The bytes of an action that count for the limit of a transaction, as far as the request has them.
 * @param image of the item to put
 */
export function actionBytes(action: CheckedAction, image: ItemImage | undefined): number {
  if (image !== undefined) return image.size;
  return action.kind === 'update' ? leastItem(action.named, action.update).size : sizeOf(action.named);
}

/** No two actions may be on one item. @param places their keys, with the tables @throws ApiError (ValidationException) */
export function checkDistinctItems(places: readonly ({ readonly table: Table } & EncodedKey)[]): void {
  const names = places.map(({ table, partitionKey, sortKey }) =>
    JSON.stringify([table.storageId, partitionKey, sortKey]),
  );
  if (new Set(names).size < names.length) {
    throw ApiError.validation('Transaction request cannot include multiple operations on one item');
  }
}

/**
 * @param bytes of all items of a transaction
 * @throws ApiError (ValidationException)
 */
export function checkTransactionBytes(bytes: number): void {
  if (bytes > MAX_TRANSACTION_BYTES) throw transactionTooLarge();
}

/** The text: API reference, TransactGetItems, why requests are rejected. */
export function transactionTooLarge(): ApiError {
  return ApiError.validation('The aggregate size of the items in the transaction exceeded 4 MB.');
}
