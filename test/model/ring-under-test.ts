import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { type OperationName, RawJson } from '../../src/api/operations.ts';
import type { CreateTableRequest } from '../../src/api/table-requests.ts';
import { completeConfig, type LimitOptions } from '../../src/config.ts';
import type { DataDirectory } from '../../src/env/data-directory.ts';
import { silentLog } from '../../src/env/log.ts';
import { nextTurn } from '../../src/env/next-turn.ts';
import { openTemporaryDirectory } from '../../src/env/temporary-directory.ts';
import { LocalRing } from '../../src/host/local-ring.ts';
import { createRouter, type Router } from '../../src/router/router.ts';
import { CONTEXT } from '../router/table-fixtures.ts';
import { keyParts } from './arbitrary-tables.ts';
import type { Change, ModelIndex, ModelSchema } from './model-table.ts';
import { TABLE } from './question.ts';
import type { KeyPart } from './values.ts';

/** Carries out a request, as plain JSON. */
// biome-ignore lint/suspicious/noExplicitAny: tests read members of answers as they like.
export type Ask = (operation: OperationName, request: object) => Promise<any>;

/**
 * A write is answered once its entries are in their indexes, however long a machine takes for it that does other things as
 * well: by default it waits a tenth of a second at most.
 */
export const CALM: LimitOptions = { node: { entryWaitMs: 30_000 } };

/** The router on a ring of three nodes: all of the server but HTTP. */
export class RingUnderTest {
  readonly #directory: DataDirectory;
  readonly ring: LocalRing;
  readonly #router: Router;
  #isClosed = false;
  #nowMs = Date.now();

  private constructor(directory: DataDirectory, ring: LocalRing) {
    this.#directory = directory;
    this.ring = ring;
    const wait = async (ms: number) => {
      await sleep(ms);
      return !this.#isClosed;
    };
    this.#router = createRouter({
      client: ring.client,
      streams: ring.client,
      newId: randomUUID,
      pause: nextTurn,
      wait,
    });
  }

  static async open(node: LimitOptions['node'] = CALM.node): Promise<RingUnderTest> {
    const directory = await openTemporaryDirectory();
    const settings = completeConfig({ partitions: 8 }, { node });
    return new RingUnderTest(directory, await LocalRing.open({ settings, directory, log: silentLog }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#router.indexes.stop();
    await this.ring.close();
    await this.#directory.close();
  }

  readonly ask: Ask = async (operation, request) => {
    // As if much time passed between two requests: what is kept for a second is counted anew for each.
    this.#nowMs += 10_000;
    const context = { ...CONTEXT, nowMs: this.#nowMs };
    return unwrapped(await this.#router.execute(operation, request, context));
  };
}

/** Items that are answered as stored bytes are parsed, which keeps a `__proto__` an attribute. */
function unwrapped(answer: object): unknown {
  const text = JSON.stringify(answer, (_, value: unknown) =>
    value instanceof RawJson ? JSON.parse(Buffer.from(value.bytes).toString()) : value,
  );
  return JSON.parse(text);
}

export function createRequest(schema: ModelSchema): CreateTableRequest {
  const { partition, sort, indexes, consistency } = schema;
  const locals = indexes.filter(({ kind }) => kind === 'local').map(indexRequest);
  const globals = indexes.filter(({ kind }) => kind === 'global').map(indexRequest);
  return {
    TableName: TABLE,
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: keySchema([partition], sort ? [sort] : []),
    AttributeDefinitions: keyParts(schema).map(definitionOf),
    ...(consistency && { Tags: [{ Key: 'dynaring:consistency', Value: consistency }] }),
    ...(locals.length > 0 && { LocalSecondaryIndexes: locals }),
    ...(globals.length > 0 && { GlobalSecondaryIndexes: globals }),
  };
}

export function definitionOf({ name, type }: KeyPart) {
  return { AttributeName: name, AttributeType: type };
}

export function indexRequest({ name, partition, sort, projection }: ModelIndex) {
  const Projection =
    typeof projection === 'string'
      ? { ProjectionType: projection }
      : { ProjectionType: 'INCLUDE' as const, NonKeyAttributes: [...projection] };
  return { IndexName: name, KeySchema: keySchema(partition, sort), Projection };
}

function keySchema(partition: readonly KeyPart[], sort: readonly KeyPart[]) {
  return [
    ...partition.map(({ name }) => ({ AttributeName: name, KeyType: 'HASH' as const })),
    ...sort.map(({ name }) => ({ AttributeName: name, KeyType: 'RANGE' as const })),
  ];
}

/** The operation and the request that make a change. */
export function requestOfChange(change: Change): [OperationName, object] {
  switch (change.kind) {
    case 'put':
      return ['PutItem', { TableName: TABLE, Item: structuredClone(change.item) }];
    case 'delete':
      return ['DeleteItem', { TableName: TABLE, Key: structuredClone(change.key) }];
    case 'update':
      return ['UpdateItem', { TableName: TABLE, Key: structuredClone(change.key), ...updateOf(change) }];
  }
}

function updateOf({ set, remove }: { readonly set: AttributeMap; readonly remove: readonly string[] }): object {
  const names = [...Object.keys(set), ...remove];
  if (names.length === 0) return {};
  const setting = Object.keys(set).map((_, at) => `#n${at} = :v${at}`);
  const removing = remove.map((_, at) => `#n${Object.keys(set).length + at}`);
  return {
    UpdateExpression: [
      setting.length > 0 ? `SET ${setting.join(', ')}` : '',
      removing.length > 0 ? `REMOVE ${removing.join(', ')}` : '',
    ].join(' '),
    ExpressionAttributeNames: Object.fromEntries(names.map((name, at) => [`#n${at}`, name])),
    ...(setting.length > 0 && {
      ExpressionAttributeValues: structuredClone(
        Object.fromEntries(Object.values(set).map((value, at) => [`:v${at}`, value])),
      ),
    }),
  };
}
