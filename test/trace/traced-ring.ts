import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import { ApiClock } from '../../src/admin/api-clock.ts';
import { createAdmin } from '../../src/admin/create-admin.ts';
import type { Admin, Trace } from '../../src/api/admin.ts';
import { ApiError } from '../../src/api/errors.ts';
import { AdminError } from '../../src/api/fault-rule.ts';
import type { Execute, OperationName } from '../../src/api/operations.ts';
import { storageIdOf } from '../../src/api/table-definition.ts';
import { completeConfig, type LimitOptions, type Settings } from '../../src/config.ts';
import { RingError } from '../../src/dynamo/ring-error.ts';
import { silentLog } from '../../src/env/log.ts';
import { openTemporaryDirectory } from '../../src/env/temporary-directory.ts';
import { LocalRing } from '../../src/host/local-ring.ts';
import { createRouter } from '../../src/router/router.ts';
import { TraceLog } from '../../src/trace/trace-log.ts';

export interface TracedRing {
  readonly ring: LocalRing;
  readonly admin: Admin;
  readonly traces: TraceLog;
  readonly execute: Execute;
  /** Carries an operation out on the table `things`. @returns the trace of it, whatever its answer */
  trace(operation: OperationName, request: object): Promise<Trace>;
  /** Keeps asking the trace of a request until it has what is waited for. */
  until(requestId: string, accepts: (trace: Trace) => boolean): Promise<Trace>;
  close(): Promise<void>;
}

/** A ring with traces and an Admin over it, without HTTP; faults, tables and lags are what a test makes of them. */
export async function tracedRing(settings: Partial<Settings> = {}, limits: LimitOptions = {}): Promise<TracedRing> {
  const config = completeConfig({ partitions: 16, ...settings }, limits);
  const traces = new TraceLog(config.limits, () => performance.now());
  const directory = await openTemporaryDirectory();
  const ring = await LocalRing.open({ settings: config, directory, log: silentLog, observer: traces });
  const router = createRouter({
    client: ring.client,
    streams: ring.client,
    newId: randomUUID,
    defaultConsistency: config.consistency,
  });
  const execute = traces.traced(router.execute);
  const admin = createAdmin({
    ring,
    nodes: ring,
    settings: config,
    traces,
    faults: {
      add: () => {
        throw new AdminError('there are no rules here', 'kind');
      },
      list: () => [],
      remove: () => {},
      clear: () => {},
    },
    tables: {
      reset: async () => {},
      snapshot: async () => ({ format: 1, tables: [] }),
      restore: async () => {},
      itemKey: async (table, key) => {
        if (table !== 'things') throw ApiError.resourceNotFound('Requested resource not found');
        return { table: storageId, partitionKey: (key.k as { S: string }).S, sortKey: '' };
      },
    },
    expiry: { sweep: async () => 0 },
    clock: new ApiClock({ now: () => 1_700_000_000_000, elapsedMs: () => 0 }),
    lags: {
      waitUntilConsistent: async () => {
        throw new RingError('replicas differ still');
      },
    },
  });
  let lastRequest = 0;
  const context = () => ({ requestId: `R${++lastRequest}`, nowMs: 0, accessKeyId: 'any', region: 'local' });
  await execute(
    'CreateTable',
    {
      TableName: 'things',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'k', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }],
    },
    context(),
  );
  const described = (await execute('DescribeTable', { TableName: 'things' }, context())) as {
    Table: { TableId: string };
  };
  const storageId = storageIdOf(described.Table.TableId);
  return {
    ring,
    admin,
    traces,
    execute,
    async trace(operation, request) {
      const asked = context();
      await execute(operation, { TableName: 'things', ...request }, asked).catch(() => {});
      // What is told after the answer is of the same turn.
      await new Promise((resolve) => setImmediate(resolve));
      return admin.trace(asked.requestId)!;
    },
    async until(requestId, accepts) {
      return vi.waitFor(() => {
        const trace = admin.trace(requestId)!;
        if (!accepts(trace)) throw new Error(`never came: ${JSON.stringify(trace, undefined, 1)}`);
        return trace;
      }, 20_000);
    },
    async close() {
      await ring.close();
      await directory.close();
    },
  };
}
