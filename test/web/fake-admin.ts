import type { Server } from 'node:http';
import type { Admin, Trace } from '../../src/api/admin.ts';
import { type ActiveFault, AdminError, type FaultRule } from '../../src/api/fault-rule.ts';
import { readFaultRule } from '../../src/api/read-fault-rule.ts';
import type { AdminAction } from '../../src/web/admin-app.ts';
import type { OnRequest } from '../../src/web/request-log.ts';
import { createWebServer, type WebServer } from '../../src/web/server.ts';
import type { Authenticate } from '../../src/web/signature.ts';
import type { WebLimits } from '../../src/web/web-limits.ts';
import { REQUEST_ID } from './fixtures.ts';

export const TRACE: Trace = {
  requestId: REQUEST_ID,
  operation: 'PutItem',
  coordinator: 'node-1',
  ms: 3,
  events: [{ atMs: 1, what: 'asked', node: 'node-2', detail: 'prepare', ballot: '2026-01-31T12:00:00.000Z node-1' }],
};

/** An Admin that does nothing but remember what it was asked. */
export class FakeAdmin implements Admin {
  /** Each call, as its name and what it was given. */
  readonly calls: unknown[][] = [];
  /** While set, what each call throws. */
  failure: Error | undefined;
  readonly #faults: ActiveFault[] = [];

  #note(...call: unknown[]): void {
    this.calls.push(call);
    if (this.failure !== undefined) throw this.failure;
  }

  addFault(rule: FaultRule): ActiveFault {
    this.#note('addFault', rule);
    const fault = { id: `fault-${this.#faults.length + 1}`, rule, fired: 0 };
    this.#faults.push(fault);
    return fault;
  }

  faults(): readonly ActiveFault[] {
    return this.#faults;
  }

  removeFault(id: string): void {
    this.#note('removeFault', id);
    const at = this.#faults.findIndex((fault) => fault.id === id);
    if (at < 0) throw new AdminError(`there is no fault ${id}`, 'id', 404);
    this.#faults.splice(at, 1);
  }

  clearFaults(): void {
    this.#note('clearFaults');
    this.#faults.length = 0;
  }

  async node(...args: unknown[]): Promise<void> {
    this.#note('node', ...args);
  }

  async addNode() {
    this.#note('addNode');
    return 'node-2';
  }

  async removeNode(...args: unknown[]): Promise<void> {
    this.#note('removeNode', ...args);
  }

  async finalize() {
    this.#note('finalize');
    return { before: 1, level: 2, because: 'all processes have releases that go up to 2' };
  }

  async movePartition(partition: number, to: readonly string[]) {
    this.#note('movePartition', partition, to);
    return { partition, from: ['a', 'b', 'c'], to };
  }

  setLink(...args: unknown[]): void {
    this.#note('setLink', ...args);
  }

  healLink(...args: unknown[]): void {
    this.#note('healLink', ...args);
  }

  async scrub() {
    this.#note('scrub');
    return { records: 1_200, damaged: 2, restored: 2, ms: 12.5 };
  }

  async repair() {
    this.#note('repair');
    return { partitions: 2, hashesExchanged: 2, bytesExchanged: 32, recordsRepaired: 0, ms: 1.5 };
  }

  async waitUntilConsistent(): Promise<void> {
    this.#note('waitUntilConsistent');
  }

  async sweep() {
    this.#note('sweep');
    return { deleted: 3 };
  }

  clock() {
    this.#note('clock');
    return { now: '2026-01-31T12:00:00.000Z', nowMs: 1_769_860_800_000, offsetMs: 0 };
  }

  moveClock(...args: unknown[]) {
    this.#note('moveClock', ...args);
    return { now: '2026-02-02T13:00:00.000Z', nowMs: 1_770_037_200_000, offsetMs: 176_400_000 };
  }

  resetClock() {
    this.#note('resetClock');
    return { now: '2026-01-31T12:00:00.000Z', nowMs: 1_769_860_800_000, offsetMs: 0 };
  }

  async settings() {
    this.#note('settings');
    return { throttle: 'off' };
  }

  async changeSettings(...args: unknown[]) {
    this.#note('changeSettings', ...args);
    return { throttle: 'on' };
  }

  async reset(namespace?: string): Promise<void> {
    this.#note('reset', namespace);
  }

  async snapshot(namespace?: string) {
    this.#note('snapshot', namespace);
    const tables = [{ namespace: '', definition: { name: 'orders' }, items: [{ id: { S: '1' } }] }];
    return { format: 1 as const, ...(namespace === undefined ? {} : { namespace }), tables };
  }

  async restore(...args: unknown[]): Promise<void> {
    this.#note('restore', ...args);
  }

  async cluster() {
    this.#note('cluster');
    const node = { partitions: 1, leads: 1, hints: 0, suspects: [] };
    return {
      healthy: true,
      problems: [],
      nodes: [{ id: 'node-1', name: 'node-1', state: 'up' as const, ...node }],
      partitions: [{ partition: 0, epoch: 0, homes: ['node-1'], notVoting: [] }],
      replication: 1,
      writeQuorum: 1,
      readQuorum: 1,
      movesLeft: 0,
      withoutMajority: [],
    };
  }

  async key(...args: unknown[]) {
    this.#note('key', ...args);
    const replicas = [{ node: 'node-1', isKnown: true, committedAtMs: 1.5, isBehind: false }];
    return { partition: 0, epoch: 0, preferenceList: ['node-1'], replicas };
  }

  async findTrace(requestId: string): Promise<Trace | undefined> {
    return this.trace(requestId);
  }

  trace(requestId: string): Trace | undefined {
    this.#note('trace', requestId);
    return requestId === REQUEST_ID ? TRACE : undefined;
  }
}

export interface AdminServer {
  readonly admin: FakeAdmin;
  readonly actions: AdminAction[];
  readonly internalErrors: unknown[];
  readonly web: WebServer;
  readonly server: Server;
  /** The one for operators alone. */
  readonly operator: Server;
}

/** A web server over a FakeAdmin, not listening. */
export function adminServer({
  limits,
  isApart = false,
  hasAdmin = true,
  onRequest,
  authenticate,
}: {
  limits?: Partial<WebLimits>;
  isApart?: boolean;
  hasAdmin?: boolean;
  onRequest?: OnRequest;
  authenticate?: Authenticate;
} = {}): AdminServer {
  const admin = new FakeAdmin();
  const actions: AdminAction[] = [];
  const internalErrors: unknown[] = [];
  let elapsedMs = 0;
  const web = createWebServer({
    execute: async () => ({}),
    nowMs: () => 0,
    requestId: () => REQUEST_ID,
    isReady: () => true,
    onInternalError: (error) => internalErrors.push(error),
    onRequest,
    authenticate,
    ...(limits === undefined ? {} : { limits }),
    operator: {
      admin: hasAdmin ? { admin, readRule: readFaultRule } : undefined,
      figures: {
        nodes: () => [
          {
            node: 'node-1',
            state: 'up',
            figures: {
              partitions: 64,
              sealed: 0,
              suspects: 1,
              hints: 7,
              hintBytes: 700,
              owed: 3,
              settling: 2,
              entriesConfirmed: 8,
              propagationHeld: 1,
              epochsBegun: 2,
              repairs: 3,
              recordsRepaired: 4,
              hashesExchanged: 5,
              repairBytesExchanged: 80,
              tombstonesPurged: 6,
              damagedKeys: 7,
              damagedFound: 8,
              damagedRestored: 9,
              damagedUnproven: 11,
              damagedHints: 10,
              scrubs: 12,
              recordsScrubbed: 13,
            },
          },
          { node: 'node-2', state: 'stopped', figures: undefined },
        ],
        faults: () => [{ id: 'fault-1', kind: 'error', fired: 9 }],
        expiry: () => ({ deleted: 14, scheduled: 15 }),
        builds: () => [{ namespace: '', table: 'Music', indexes: ['by-a'], partitionsDone: 16, items: 17 }],
      },
      // Two looks a request, so each takes 3 ms.
      elapsedMs: () => {
        elapsedMs += 3;
        return elapsedMs;
      },
      onAction: (action) => actions.push(action),
      isApart,
    },
  });
  return {
    admin,
    actions,
    internalErrors,
    web,
    server: web.createHttpServer(),
    operator: web.operator.createHttpServer(),
  };
}
