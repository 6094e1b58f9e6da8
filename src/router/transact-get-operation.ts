import type { AttributeMap } from '../api/attribute-value.ts';
import { transactionCanceled } from '../api/cancellation.ts';
import { type ConsumedCapacity, wantsCapacity } from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import type { Projection } from '../api/expression/ast.ts';
import { applyProjection } from '../api/expression/projection.ts';
import { fromImage, type ItemImage } from '../api/item.ts';
import { RawJson, type RequestContext, type TransactGetItemsRequest } from '../api/operations.ts';
import { transactedRead, transactionCapacity } from '../api/transaction-capacity.ts';
import { checkedGet, checkTransactionBytes, placeGet, transactionTooLarge } from '../api/transaction-rules.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { TransactingClient } from '../dynamo/transaction-client.ts';
import { chargeTogether } from './charge-together.ts';
import { clusterError } from './cluster-errors.ts';
import type { ItemParts } from './item-operations.ts';
import { byTable } from './members-by-table.ts';
import { ofTable } from './of-table.ts';
import type { ReadRoom } from './read-room.ts';
import { LARGE_READ_BYTES } from './router-limits.ts';
import { type InPlace, planTransaction } from './transaction-plan.ts';

export interface TransactGetItemsResponse {
  Responses: { Item?: RawJson | AttributeMap }[];
  ConsumedCapacity?: ConsumedCapacity[];
}

export interface TransactGetOperation {
  transactGetItems(
    request: TransactGetItemsRequest,
    context: RequestContext,
    namespace: string,
  ): Promise<TransactGetItemsResponse>;
  /** What TransactGetItems does when its members have been checked by themselves. Statements begin here. */
  getTogether(
    asked: readonly AskedGet[],
    level: TransactGetItemsRequest['ReturnConsumedCapacity'],
    context: RequestContext,
    namespace: string,
  ): Promise<TransactGetItemsResponse>;
}

/** What the operations on several items at one moment are made from. */
export interface TransactParts extends ItemParts {
  readonly client: DynamoClient & TransactingClient;
  /** Bounds what TransactGetItems reads at a time. */
  readonly room: ReadRoom;
  /** Gives up the event loop until other requests have had their turn. */
  readonly pause: () => Promise<void>;
}

/** A Get that has been checked by itself. */
export interface AskedGet {
  readonly name: string;
  readonly key: AttributeMap;
  readonly projection: Projection | undefined;
}

type Planned = InPlace<AskedGet>;

/**
 * TransactGetItems. It checks in the order of TransactWriteItems; whether the items are too large together is known when they
 * have been read. The function owns its request: it normalises values in place.
 */
export function createTransactGetOperation(parts: TransactParts): TransactGetOperation {
  const { catalog, pause } = parts;
  const operation: TransactGetOperation = {
    async transactGetItems(request, context, namespace) {
      const asked = request.TransactItems.map(({ Get }) => ({
        name: Get.TableName,
        key: Get.Key,
        projection: checkedGet(Get),
      }));
      return operation.getTogether(asked, request.ReturnConsumedCapacity, context, namespace);
    },

    async getTogether(asked, level, context, namespace) {
      const place = (table: Planned['table'], { key, projection }: AskedGet) => placeGet(table, key, projection);
      const planned = await planTransaction(catalog, asked, place, { context, namespace });
      const images = await readTogether(parts, planned, context);
      charge(parts, planned, images);
      const response: TransactGetItemsResponse = { Responses: await responsesOf(planned, images, pause) };
      if (wantsCapacity(level)) {
        const consumed = planned.map(({ name }, at) => ({ name, units: transactedRead(images[at]?.size ?? 0) }));
        response.ConsumedCapacity = byTable(consumed).map(([name, ofThis]) => {
          const table = ofThis.reduce((sum, { units }) => sum + units, 0);
          return transactionCapacity(level, name, { table, indexes: [] }, 'read');
        });
      }
      return response;
    },
  };
  return operation;
}

/** @throws ApiError if they are too large together, another transaction holds one, or the cluster fails */
async function readTogether(
  { client, room }: TransactParts,
  planned: readonly Planned[],
  { requestId, departure }: RequestContext,
): Promise<readonly (ItemImage | undefined)[]> {
  const reads = room.begin();
  try {
    const turn = room.take(reads);
    if (turn !== undefined) await turn;
    let bytes = 0;
    try {
      const items = planned.map(({ table, at }) => ({
        key: { table: table.storageId, ...at },
        derivation: ofTable(table).derivation,
      }));
      const outcome = await client.readTogether({ items, requestId, departure });
      if (outcome.kind === 'cancelled') {
        throw transactionCanceled(
          outcome.conflicts.map((isHeld) => (isHeld ? ApiError.transactionConflict() : undefined)),
        );
      }
      if (outcome.kind === 'too-large') throw transactionTooLarge();
      if (outcome.kind !== 'items') throw clusterError(outcome);
      for (const image of outcome.items) bytes += image?.json.length ?? 0;
      checkTransactionBytes(outcome.items.reduce((sum, image) => sum + (image?.size ?? 0), 0));
      return outcome.items;
    } finally {
      room.give(reads, bytes);
    }
  } finally {
    await room.end(reads);
  }
}

/** @throws ApiError (TransactionCanceledException) if the units are not available */
function charge(
  { throughput }: TransactParts,
  planned: readonly Planned[],
  images: readonly (ItemImage | undefined)[],
) {
  if (throughput === undefined) return;
  const refusals = chargeTogether(
    planned.map(({ table, at }, index) => () => {
      const units = transactedRead(images[index]?.size ?? 0);
      throughput.chargeRead(table, at.partitionKey, units);
      return () => throughput.chargeRead(table, at.partitionKey, -units);
    }),
  );
  if (refusals !== undefined) throw transactionCanceled(refusals);
}

/** One for each Get, in their order; without a member for an item that is not there. */
async function responsesOf(
  planned: readonly Planned[],
  images: readonly (ItemImage | undefined)[],
  pause: () => Promise<void>,
): Promise<TransactGetItemsResponse['Responses']> {
  const responses: TransactGetItemsResponse['Responses'] = [];
  let parsed = 0;
  for (const [index, { projection }] of planned.entries()) {
    const image = images[index];
    if (image === undefined) responses.push({});
    else if (projection === undefined) responses.push({ Item: new RawJson(image.json) });
    else {
      parsed += image.json.length;
      if (parsed > LARGE_READ_BYTES) {
        parsed = 0;
        await pause();
      }
      responses.push({ Item: applyProjection(projection, fromImage(image)) });
    }
  }
  return responses;
}
