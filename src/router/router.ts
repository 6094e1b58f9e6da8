import type { Execute } from '../api/operations.ts';
import type { TableConsistency } from '../api/table-definition.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { StreamClient } from '../dynamo/stream-client.ts';
import type { TransactingClient } from '../dynamo/transaction-client.ts';
import { IndexBuilder } from './index-builder.ts';
import { type Isolation, namespaceOf, noNamespace } from './namespace.ts';
import { createOperationTable } from './operation-table.ts';
import type { OtherRouters } from './other-routers.ts';
import { DEFAULT_ROUTER_LIMITS, type RouterLimits } from './router-limits.ts';
import { StreamKeeper } from './stream-keeper.ts';
import { createTableAdmin, type TableAdmin } from './table-admin.ts';
import { TableCatalog } from './table-catalog.ts';
import type { ThroughputGate } from './throughput.ts';
import { unlessGone } from './unless-gone.ts';

export interface RouterOptions {
  readonly client: DynamoClient & TransactingClient;
  readonly streams: StreamClient;
  /** Gives a new random UUID in lower case. */
  readonly newId: () => string;
  /** The consistency of new tables whose tags do not say one. Default: strict. */
  readonly defaultConsistency?: TableConsistency;
  /** Which part of the credentials gives a request its namespace. Default: none, unless the access key names one. */
  readonly isolate?: Isolation;
  readonly limits?: Partial<RouterLimits>;
  /** Into how many shards new streams are cut. Default: 1. */
  readonly streamShards?: number;
  /** The clock of the API, in ms since 1970, for what no request asks for. Default: it stands still in 1970. */
  readonly nowMs?: () => number;
  /** What that clock said when that of a node said `atMs`. Default: the same. */
  readonly timeOf?: (atMs: number) => number;
  /** Default: a new one. */
  readonly catalog?: TableCatalog;
  /** The other routers of the cluster, of which the catalog knows too. Default: it has none. */
  readonly others?: OtherRouters | undefined;
  /** How long a request of another router may take, in ms. */
  readonly requestLifeMs?: number | undefined;
  /** Undefined: throughput is not limited. */
  readonly throughput?: ThroughputGate | undefined;
  /** How long CREATING, UPDATING and DELETING are seen, in ms. Default: in the answer only. */
  readonly transientMs?: number;
  /**
   * Waits before what failed in the background is tried again. @returns false if the server is stopping. Default: nothing is
   * tried again.
   */
  readonly wait?: (ms: number) => Promise<boolean>;
  /** Gives up the event loop until other requests have had their turn. Default: does not. */
  readonly pause?: () => Promise<void>;
}

export interface Router {
  /** The door of tier 2, for requests that come with credentials. */
  readonly execute: Execute;
  /** The same in a namespace of the caller's choice. Tables are ready when it answers, whatever `transientMs` is. */
  readonly executeIn: (namespace: string, ...request: Parameters<Execute>) => Promise<object>;
  readonly tables: TableAdmin;
  /** Makes the entries of new indexes. The owner has it resume what an earlier process has left, and stops it. */
  readonly indexes: IndexBuilder;
  /** Begins and ends streams. The owner has it resume what an earlier process has left, and stops it. */
  readonly keeper: StreamKeeper;
}

/**
 * Tier 2: one router, handed to tier 1 as a function. Its only state is the cache of table definitions, the orders in
 * which indexes are scanned and, if throughput is limited, what was consumed.
 */
export function createRouter(options: RouterOptions): Router {
  const { client, streams, newId, isolate = 'none', others, requestLifeMs, nowMs = () => 0 } = options;
  const limits = { ...DEFAULT_ROUTER_LIMITS, ...options.limits };
  const { catalog = new TableCatalog(client, limits, undefined, streams) } = options;
  const indexes = new IndexBuilder({ client, catalog, newId, wait: options.wait, others, requestLifeMs });
  const newStreams = { newId, streamShards: options.streamShards ?? 1 };
  const ofOthers = { wait: options.wait, others, requestLifeMs };
  const keeper = new StreamKeeper({ client, streams, catalog, newStreams, nowMs, ...ofOthers });
  const handlers = createOperationTable({
    client,
    streams,
    keeper,
    ...newStreams,
    timeOf: options.timeOf ?? ((atMs) => atMs),
    catalog,
    indexes,
    consistency: options.defaultConsistency ?? 'strict',
    throughput: options.throughput,
    transientMs: options.transientMs ?? 0,
    pause: options.pause ?? (async () => {}),
  });
  return {
    execute(operation, request, context) {
      const namespace = namespaceOf(context, isolate);
      if (namespace === undefined) return Promise.reject(noNamespace(context));
      const run = () => handlers[operation](request as never, context, namespace);
      return others === undefined ? run() : unlessGone(catalog, run);
    },
    executeIn(namespace, operation, request, context) {
      const run = () => handlers[operation](request as never, { ...context, transientMs: 0 }, namespace);
      return others === undefined ? run() : unlessGone(catalog, run);
    },
    indexes,
    keeper,
    tables: createTableAdmin({ client, catalog, keeper, newStreams, nowMs, limits }),
  };
}
