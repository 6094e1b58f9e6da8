import type { Admin } from '../api/admin.ts';
import { ApiError } from '../api/errors.ts';
import { AdminError, type FaultRule } from '../api/fault-rule.ts';
import {
  readClockMove,
  readHomes,
  readKey,
  readLinkSetting,
  readNodeAction,
  readPartition,
  readSettings,
  readSnapshot,
} from './admin-fields.ts';
import {
  countOf,
  healedOutcome,
  levelOutcome,
  linkOutcome,
  moveOutcome,
  nodeOutcome,
  resetOutcome,
  restoreOutcome,
} from './admin-outcomes.ts';
import { clusterText, statesText } from './cluster-text.ts';

/** What every route can use. */
export interface AdminDoor {
  readonly admin: Admin;
  /** @throws AdminError that names the invalid field */
  readonly readRule: (json: unknown) => FaultRule;
}

export interface AdminCall {
  /** The variable parts of the path, by name. */
  readonly params: Readonly<Record<string, string>>;
  /** Holds only names that the route accepts. */
  readonly query: Readonly<Record<string, string | undefined>>;
  /** The parsed JSON body; undefined if there is none. */
  readonly body: unknown;
}

/** Plain JSON, or lines for people. */
export type AdminAnswer =
  | { readonly status: 200 | 201; readonly body: object }
  | { readonly status: 200; readonly text: string };

export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** The path below `/_dynaring`, with `{name}` for variable parts, as in docs/openapi.json. */
  readonly path: string;
  /** The query parameters that the route accepts. */
  readonly query?: readonly string[];
  /** The size limit of its body; undefined if it has no body. */
  readonly body?: 'small' | 'snapshot';
  /** @throws AdminError, or ApiError where the service would refuse it */
  readonly answer: (door: AdminDoor, call: AdminCall) => AdminAnswer | Promise<AdminAnswer>;
}

/** All routes of `/_dynaring/`. docs/openapi.json describes them; a test compares the two. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  {
    method: 'POST',
    path: '/faults',
    body: 'small',
    answer: async ({ admin, readRule }, { body }) => ({ status: 201, body: await admin.addFault(readRule(body)) }),
  },
  {
    method: 'GET',
    path: '/faults',
    answer: async ({ admin }) => ({ status: 200, body: { faults: await admin.faults() } }),
  },
  {
    method: 'DELETE',
    path: '/faults',
    answer: telling(async ({ admin }) => {
      const { length } = await admin.faults();
      await admin.clearFaults();
      return `${countOf(length, 'fault rule')} ended`;
    }),
  },
  {
    method: 'DELETE',
    path: '/faults/{id}',
    answer: telling(async ({ admin }, { params }) => {
      await admin.removeFault(params.id!);
      return `fault rule ${params.id} ended`;
    }),
  },
  {
    method: 'POST',
    path: '/nodes/{id}/{action}',
    answer: telling(async ({ admin }, { params }) => {
      const action = readNodeAction(params.action!);
      await admin.node(params.id!, action);
      return nodeOutcome(params.id!, action, statesText(await admin.cluster()));
    }),
  },
  {
    method: 'POST',
    path: '/nodes',
    answer: telling(async ({ admin }) => `${await admin.addNode()} is added (${statesText(await admin.cluster())})`),
  },
  {
    method: 'DELETE',
    path: '/nodes/{id}',
    answer: telling(async ({ admin }, { params }) => {
      await admin.removeNode(params.id!);
      const { movesLeft } = await admin.cluster();
      return `${params.id} is taken out (${movesLeft} partitions still to be moved)`;
    }),
  },
  {
    method: 'POST',
    path: '/partitions/{partition}/move',
    body: 'small',
    answer: telling(async ({ admin }, { params, body }) =>
      moveOutcome(await admin.movePartition(readPartition(params.partition!), readHomes(body))),
    ),
  },
  { method: 'POST', path: '/finalize', answer: telling(async ({ admin }) => levelOutcome(await admin.finalize())) },
  {
    method: 'PUT',
    path: '/links/{from}/{to}',
    body: 'small',
    answer: telling(async ({ admin }, { params, body }) => {
      const setting = readLinkSetting(body);
      await admin.setLink(params.from!, params.to!, setting);
      return linkOutcome(params.from!, params.to!, setting);
    }),
  },
  {
    method: 'DELETE',
    path: '/links/{from}/{to}',
    answer: telling(async ({ admin }, { params }) => {
      await admin.healLink(params.from!, params.to!);
      return healedOutcome(params.from!, params.to!);
    }),
  },
  { method: 'POST', path: '/repair', answer: async ({ admin }) => ({ status: 200, body: await admin.repair() }) },
  { method: 'POST', path: '/scrub', answer: async ({ admin }) => ({ status: 200, body: await admin.scrub() }) },
  {
    method: 'POST',
    path: '/wait-until-consistent',
    answer: telling(async ({ admin }) => {
      await admin.waitUntilConsistent();
      return 'no replica is behind, and no hint is left';
    }),
  },
  { method: 'POST', path: '/sweep', answer: async ({ admin }) => ({ status: 200, body: await admin.sweep() }) },
  { method: 'GET', path: '/clock', answer: ({ admin }) => ({ status: 200, body: admin.clock() }) },
  {
    method: 'POST',
    path: '/clock',
    body: 'small',
    answer: ({ admin }, { body }) => ({ status: 200, body: admin.moveClock(readClockMove(body)) }),
  },
  { method: 'DELETE', path: '/clock', answer: ({ admin }) => ({ status: 200, body: admin.resetClock() }) },
  { method: 'GET', path: '/settings', answer: async ({ admin }) => ({ status: 200, body: await admin.settings() }) },
  {
    method: 'PUT',
    path: '/settings',
    body: 'small',
    answer: async ({ admin }, { body }) => ({ status: 200, body: await admin.changeSettings(readSettings(body)) }),
  },
  {
    method: 'POST',
    path: '/reset',
    query: ['namespace'],
    answer: telling(async ({ admin }, { query }) => {
      await admin.reset(query.namespace);
      return resetOutcome(query.namespace);
    }),
  },
  {
    method: 'GET',
    path: '/snapshot',
    query: ['namespace'],
    answer: async ({ admin }, { query }) => ({ status: 200, body: await admin.snapshot(query.namespace) }),
  },
  {
    method: 'POST',
    path: '/snapshot',
    body: 'snapshot',
    answer: telling(async ({ admin }, { body }) => {
      const snapshot = readSnapshot(body);
      await admin.restore(snapshot);
      return restoreOutcome(snapshot);
    }),
  },
  { method: 'GET', path: '/cluster', answer: async ({ admin }) => ({ status: 200, body: await admin.cluster() }) },
  {
    method: 'GET',
    path: '/status',
    answer: async ({ admin }) => ({ status: 200, text: clusterText(await admin.cluster()) }),
  },
  {
    method: 'GET',
    path: '/key',
    query: ['table', 'key', 'namespace'],
    answer: async ({ admin }, { query }) => {
      const table = needed(query, 'table');
      const key = readKey(needed(query, 'key'));
      return { status: 200, body: await admin.key(table, key, query.namespace).catch(namingField) };
    },
  },
  {
    method: 'GET',
    path: '/trace/{requestId}',
    answer: async ({ admin }, { params }) => {
      const trace = await admin.findTrace(params.requestId!);
      if (trace !== undefined) return { status: 200, body: trace };
      throw new AdminError('there is no trace of this request, or none any more', 'requestId', 404);
    },
  },
];

/**
 * Routes of LocalStack's below `/_aws`, for programs that call them. Its documentation of DynamoDB, "Time To Live": how
 * many items have been deleted.
 */
export const LOCALSTACK_ROUTES: readonly AdminRoute[] = [
  {
    method: 'DELETE',
    path: '/dynamodb/expired',
    answer: async ({ admin }) => ({ status: 200, body: { ExpiredItems: (await admin.sweep()).deleted } }),
  },
];

/** An action whose answer is one sentence that says what was done. */
function telling(act: (door: AdminDoor, call: AdminCall) => string | Promise<string>): AdminRoute['answer'] {
  return async (door, call) => ({ status: 200, body: { done: await act(door, call) } });
}

/** Turns the service's error about a key or a table into an error about the parameter that named it. */
function namingField(error: unknown): never {
  if (!(error instanceof ApiError) || error.status >= 500) throw error;
  throw new AdminError(error.message, error.name === 'ResourceNotFoundException' ? 'table' : 'key');
}

function needed(query: AdminCall['query'], name: string): string {
  const value = query[name];
  if (value === undefined || value === '') throw new AdminError(`${name} is missing in the query`, name);
  return value;
}
