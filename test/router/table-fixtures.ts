import type { OperationName, RequestContext } from '../../src/api/operations.ts';
import type { CreateTableRequest, UpdateTableRequest } from '../../src/api/table-requests.ts';
import { createRouter } from '../../src/router/router.ts';
import { DEFAULT_ROUTER_LIMITS, type RouterLimits } from '../../src/router/router-limits.ts';
import { TableCatalog } from '../../src/router/table-catalog.ts';
import { MemoryClient } from './memory-client.ts';

export const CONTEXT: RequestContext = {
  requestId: 'request',
  nowMs: Date.UTC(2026, 9, 8, 23, 7, 31, 275),
  accessKeyId: 'key',
  region: 'eu-west-1',
  host: 'localhost:8123',
};

/** A table with a partition key `pk` and nothing else, on demand. */
export function tableRequest(changes: Partial<CreateTableRequest> = {}): CreateTableRequest {
  return {
    TableName: 'Music',
    AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
    ...changes,
  };
}

/** Its table has the keys `pk` and `sk`; `a` and `b` are defined for indexes to use. */
export function sortedTableRequest(changes: Partial<CreateTableRequest> = {}): CreateTableRequest {
  return tableRequest({ AttributeDefinitions: definitions('pk', 'sk'), KeySchema: keys('pk', 'sk'), ...changes });
}

export function definitions(...names: string[]): NonNullable<CreateTableRequest['AttributeDefinitions']> {
  return names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' }));
}

/** HASH, then RANGE for all others. */
export function keys(...names: string[]): NonNullable<CreateTableRequest['KeySchema']> {
  return names.map((AttributeName, position) => ({ AttributeName, KeyType: position === 0 ? 'HASH' : 'RANGE' }));
}

export function index(IndexName: string, ...names: string[]) {
  return { IndexName, KeySchema: keys(...names), Projection: { ProjectionType: 'ALL' as const } };
}

/** Of each cluster: routers that share it must not give an id twice. */
const lastIds = new WeakMap<MemoryClient, number>();

/** A router over one copy of everything, whose ids count up from 1. */
export function newRouter(
  client = new MemoryClient(),
  limits: Partial<RouterLimits> = {},
  transientMs = 0,
  triesAgain?: () => boolean,
) {
  const newId = () => {
    const id = (lastIds.get(client) ?? 0) + 1;
    lastIds.set(client, id);
    return `${String(id).padStart(8, '0')}-0000-4000-8000-000000000000`;
  };
  const catalog = new TableCatalog(client, { ...DEFAULT_ROUTER_LIMITS, ...limits }, undefined, client.streams);
  const {
    execute: router,
    executeIn,
    tables,
    indexes,
    keeper,
  } = createRouter({
    client,
    streams: client.streams,
    nowMs: () => CONTEXT.nowMs,
    catalog,
    newId,
    limits,
    transientMs,
    ...(triesAgain && {
      // Ten times as fast as it should be.
      wait: async (ms: number) => {
        await new Promise((resolve) => setTimeout(resolve, ms / 10));
        return triesAgain();
      },
    }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of answers as they like.
  type Answer = any;
  const execute = (operation: OperationName, request: object, context: Partial<RequestContext> = {}) =>
    router(operation, request, { ...CONTEXT, ...context }) as Promise<Answer>;
  return {
    client,
    catalog,
    tables,
    executeIn,
    indexes,
    keeper,
    /** Resolves when a table's indexes have their entries, or its builder has given up. */
    built: (name = 'Music') => indexes.settled({ namespace: '', name }, 0),
    execute,
    create: (request: CreateTableRequest = tableRequest()) => execute('CreateTable', request),
    update: (changes: Partial<UpdateTableRequest>, context: Partial<RequestContext> = {}) =>
      execute('UpdateTable', { TableName: 'Music', ...changes }, context),
    describe: async (TableName = 'Music', context: Partial<RequestContext> = {}) =>
      (await execute('DescribeTable', { TableName }, context)).Table,
  };
}

/** What an operation is refused with: name and message of the error. */
export async function refusal(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  throw new Error('the operation was not refused');
}
