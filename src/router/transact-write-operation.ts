import { isReason, transactionCanceled } from '../api/cancellation.ts';
import { type ConsumedCapacity, sumOfWriteUnits, type WriteUnits, wantsCapacity } from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import { type ItemImage, toImage } from '../api/item.ts';
import { toImageInSlices } from '../api/large-item.ts';
import {
  RawJson,
  type RequestContext,
  type TransactWriteItem,
  type TransactWriteItemsRequest,
} from '../api/operations.ts';
import type { ByteString } from '../api/primary-key.ts';
import { transactedCheck, transactedRead, transactedWrite, transactionCapacity } from '../api/transaction-capacity.ts';
import { TransactionDigest, tokenName } from '../api/transaction-digest.ts';
import {
  actionBytes,
  type CheckedAction,
  checkedAction,
  checkTransactionBytes,
  placeAction,
  transactionTooLarge,
} from '../api/transaction-rules.ts';
import { leastItem } from '../api/updated-item.ts';
import type {
  ActionOutcome,
  TransactionAction,
  TransactionOutcome,
  TransactionRequest,
} from '../dynamo/transaction-client.ts';
import { chargeTogether } from './charge-together.ts';
import { clusterError } from './cluster-errors.ts';
import { areTablesGone } from './gone-tables.ts';
import { inParallel } from './in-parallel.ts';
import { type ItemCollectionMetrics, sizedItem } from './item-write.ts';
import { byTable, metricsByTable } from './members-by-table.ts';
import { ofTable } from './of-table.ts';
import { BATCH_PARALLELISM } from './router-limits.ts';
import type { TransactParts } from './transact-get-operation.ts';
import { type InPlace, planTransaction } from './transaction-plan.ts';

export interface TransactWriteItemsResponse {
  ConsumedCapacity?: ConsumedCapacity[];
  ItemCollectionMetrics?: Record<string, ItemCollectionMetrics[]>;
}

export interface TransactWriteOperation {
  transactWriteItems(
    request: TransactWriteItemsRequest,
    context: RequestContext,
    namespace: string,
  ): Promise<TransactWriteItemsResponse>;
  /** What TransactWriteItems does when its actions have been checked by themselves. Statements begin here. */
  transactActions(
    asked: readonly AskedAction[],
    options: TransactOptions,
    context: RequestContext,
    namespace: string,
  ): Promise<TransactWriteItemsResponse>;
}

/** What is answered, and how a repetition is recognised: by the ring's name for the client's token. */
export interface TransactOptions
  extends Pick<TransactWriteItemsRequest, 'ReturnConsumedCapacity' | 'ReturnItemCollectionMetrics'> {
  readonly token: () => Promise<TransactionRequest['token']>;
}

/** An action that has been checked by itself. */
export interface AskedAction {
  readonly name: string;
  readonly action: CheckedAction;
  /** Of the item to put. */
  readonly image: ItemImage | undefined;
}

type Planned = InPlace<AskedAction>;
type Committed = Extract<TransactionOutcome, { kind: 'committed' }>;

const NOTHING: WriteUnits = { table: 0, indexes: [] };

/**
 * TransactWriteItems. It checks all actions by themselves first, then against their tables, then its size; what remains is
 * the ring's. The function owns its request: it normalises values in place.
 */
export function createTransactWriteOperation(parts: TransactParts): TransactWriteOperation {
  const { client, catalog } = parts;
  const operation: TransactWriteOperation = {
    async transactWriteItems(request, context, namespace) {
      const asked = await checkActions(request.TransactItems, context);
      const { ReturnConsumedCapacity, ReturnItemCollectionMetrics } = request;
      const token = () => tokenOf(request, context, namespace);
      const options = { token, ReturnConsumedCapacity, ReturnItemCollectionMetrics };
      return operation.transactActions(asked, options, context, namespace);
    },

    async transactActions(asked, options, context, namespace) {
      const place = (table: Planned['table'], { action, image }: AskedAction) => placeAction(table, action, image);
      const planned = await planTransaction(catalog, asked, place, { context, namespace });
      checkTransactionBytes(planned.reduce((sum, { action, image }) => sum + actionBytes(action, image), 0));
      const named = await options.token();
      const token = named && { ...named, areGone: (ids: readonly ByteString[]) => areTablesGone(catalog, ids) };
      const settle = charge(parts, planned);
      const outcome = await client.transact({
        actions: planned.map(actionOf),
        token,
        requestId: context.requestId,
      });
      if (outcome.kind !== 'committed') throw errorOf(outcome, planned);
      return outcome.isRepeated
        ? await answerRepetition(parts, options, planned, settle)
        : await answerCommit(parts, { request: options, planned, settle, outcome });
    },
  };
  return operation;
}

async function checkActions(members: readonly TransactWriteItem[], { pause }: RequestContext): Promise<AskedAction[]> {
  const asked: AskedAction[] = [];
  for (const member of members) {
    const action = checkedAction(member);
    let image: ItemImage | undefined;
    if (action.kind === 'put') {
      image = pause === undefined ? toImage(action.named) : await toImageInSlices(action.named, pause);
    }
    asked.push({ name: action.tableName, action, image });
    if (pause !== undefined) await pause();
  }
  return asked;
}

/** The ring's name for the client's token, with the digest of what was asked. */
async function tokenOf(
  { ClientRequestToken, TransactItems }: TransactWriteItemsRequest,
  { pause }: RequestContext,
  namespace: string,
): Promise<TransactionRequest['token']> {
  if (ClientRequestToken == null) return undefined;
  const digest = new TransactionDigest();
  for (const member of TransactItems) {
    await digest.add(member, pause);
    if (pause !== undefined) await pause();
  }
  return { name: tokenName(namespace, ClientRequestToken), digest: digest.end() };
}

function actionOf({ table, at, action, image }: Planned): TransactionAction {
  const { derivation } = ofTable(table);
  return { key: { table: table.storageId, ...at }, change: changeOf(table, action, image), derivation };
}

function changeOf(
  { key, indexes }: Planned['table'],
  action: CheckedAction,
  image: ItemImage | undefined,
): TransactionAction['change'] {
  const { condition } = action;
  switch (action.kind) {
    case 'put':
      return { kind: 'put', item: image!, condition };
    case 'delete':
      return { kind: 'delete', condition };
    case 'check':
      return { kind: 'check', condition: action.condition };
    case 'update':
      return { kind: 'update', update: action.update, key: action.named, table: { key, indexes }, condition };
  }
}

/** Called with what each action consumed: the difference to what was charged is owed, or given back. */
type Settle = (units: readonly WriteUnits[]) => void;

/**
 * Charges what the actions consume if there are no items yet.
 * @returns undefined if throughput is not limited
 * @throws ApiError (TransactionCanceledException) if the units are not available
 */
function charge({ throughput }: TransactParts, planned: readonly Planned[]): Settle | undefined {
  if (throughput === undefined) return undefined;
  const settles: ((consumed: WriteUnits) => void)[] = [];
  const refusals = chargeTogether(
    planned.map((each, at) => () => {
      const settle = throughput.chargeWrite(each.table, each.at.partitionKey, expectedUnits(each));
      settles[at] = settle;
      return () => settle(NOTHING);
    }),
  );
  if (refusals !== undefined) throw transactionCanceled(refusals);
  return (units) => {
    for (const [at, settle] of settles.entries()) settle(units[at]!);
  };
}

function expectedUnits({ table, action, image }: Planned): WriteUnits {
  switch (action.kind) {
    case 'put':
      return transactedWrite(table, undefined, { size: image!.size, item: action.named });
    case 'update':
      return transactedWrite(table, undefined, leastItem(action.named, action.update));
    case 'delete':
      return transactedWrite(table, undefined, undefined);
    case 'check':
      return transactedCheck(0);
  }
}

/** What a transaction that was not committed is answered with. */
function errorOf(outcome: Exclude<TransactionOutcome, Committed>, planned: readonly Planned[]): ApiError {
  switch (outcome.kind) {
    case 'cancelled': {
      const gone = outcome.reasons.find(({ kind }) => kind === 'table-gone');
      if (gone?.kind === 'table-gone') return clusterError(gone);
      const faults = outcome.reasons.map((reason, at) => faultOf(reason, planned[at]!));
      // Nothing has happened. If no action is to blame, or it cannot be worded as a reason, it is tried again.
      const isWorded =
        faults.some((fault) => fault !== undefined) && faults.every((fault) => !fault || isReason(fault));
      return isWorded ? transactionCanceled(faults) : ApiError.serviceUnavailable();
    }
    case 'too-large':
      return transactionTooLarge();
    case 'token-mismatch':
      return ApiError.idempotentParameterMismatch();
    case 'in-progress':
      return ApiError.transactionInProgress();
    default:
      return clusterError(outcome);
  }
}

function faultOf(outcome: ActionOutcome, { table, action }: Planned): ApiError | undefined {
  if (outcome.kind === 'none') return undefined;
  if (outcome.kind !== 'condition-failed') return clusterError(outcome, table);
  if (action.failure !== undefined) return action.failure;
  const isWanted = action.wantsItem && outcome.current !== undefined;
  return ApiError.conditionalCheckFailed(isWanted ? new RawJson(outcome.current!.json) : undefined);
}

interface Commit {
  readonly request: TransactOptions;
  readonly planned: readonly Planned[];
  readonly settle: Settle | undefined;
  readonly outcome: Committed;
}

async function answerCommit(parts: TransactParts, { request, planned, settle, outcome }: Commit) {
  const response: TransactWriteItemsResponse = {};
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level) || settle !== undefined) {
    const units = planned.map((each, at) => consumedUnits(each, outcome.items[at]!));
    settle?.(units);
    if (wantsCapacity(level)) response.ConsumedCapacity = capacityOf(level, planned, units, 'write');
  }
  return withMetrics(parts, request, planned, response);
}

function consumedUnits({ table, action }: Planned, { old, next }: Committed['items'][number]): WriteUnits {
  if (action.kind === 'check') return transactedCheck(old?.size ?? 0);
  return transactedWrite(table, old && sizedItem(table, old), next && sizedItem(table, next));
}

/**
 * A repetition consumes reads of the items (API reference, `ClientRequestToken`; measured by a user of the service,
 * dynoxide pull requests 123 and 188: of the larger of each item before and after). The ring does not know those any more:
 * ours are of the items to put, and of what is there now.
 */
async function answerRepetition(
  parts: TransactParts,
  request: TransactOptions,
  planned: readonly Planned[],
  settle: Settle | undefined,
): Promise<TransactWriteItemsResponse> {
  const { throughput } = parts;
  const response: TransactWriteItemsResponse = {};
  settle?.(planned.map(() => NOTHING));
  const level = request.ReturnConsumedCapacity;
  if (wantsCapacity(level) || throughput !== undefined) {
    const units = (await sizesNow(parts, planned)).map(transactedRead);
    const refusals =
      throughput &&
      chargeTogether(
        planned.map(({ table, at }, index) => () => {
          throughput.chargeRead(table, at.partitionKey, units[index]!);
          return () => throughput.chargeRead(table, at.partitionKey, -units[index]!);
        }),
      );
    if (refusals !== undefined) throw transactionCanceled(refusals);
    if (wantsCapacity(level)) {
      const read = units.map((table) => ({ table, indexes: [] }));
      response.ConsumedCapacity = capacityOf(level, planned, read, 'read');
    }
  }
  return withMetrics(parts, request, planned, response);
}

async function sizesNow({ client }: TransactParts, planned: readonly Planned[]): Promise<readonly number[]> {
  const sizes: number[] = [];
  await inParallel(planned.entries(), BATCH_PARALLELISM, async ([index, { table, at, image }]) => {
    const key = { table: table.storageId, ...at };
    const outcome = await client.read({ key, from: 'committed', ...ofTable(table) });
    sizes[index] = Math.max(image?.size ?? 0, outcome.kind === 'found' ? outcome.item.size : 0);
  });
  return sizes;
}

function capacityOf(
  level: 'TOTAL' | 'INDEXES',
  planned: readonly Planned[],
  units: readonly WriteUnits[],
  access: 'read' | 'write',
): ConsumedCapacity[] {
  const consumed = planned.map(({ name }, at) => ({ name, units: units[at]! }));
  return byTable(consumed).map(([name, ofThis]) =>
    transactionCapacity(level, name, sumOfWriteUnits(ofThis.map(({ units }) => units)), access),
  );
}

async function withMetrics(
  { client }: TransactParts,
  { ReturnItemCollectionMetrics }: TransactOptions,
  planned: readonly Planned[],
  response: TransactWriteItemsResponse,
): Promise<TransactWriteItemsResponse> {
  if (ReturnItemCollectionMetrics !== 'SIZE') return response;
  const written = planned
    .filter(({ action }) => action.kind !== 'check')
    .map(({ name, table, at, action: { named } }) => ({ name, table, at, named }));
  return { ...response, ItemCollectionMetrics: await metricsByTable(client, written) };
}
