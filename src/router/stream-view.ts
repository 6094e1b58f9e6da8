import { validationErrors } from '../api/refusal.ts';
import { namedStream, type StreamName, shardNotFound, shardOfId, streamNotFound } from '../api/stream.ts';
import type { DynamoClient } from '../dynamo/client.ts';
import type { LogEndsOutcome, StreamClient, StreamShard } from '../dynamo/stream-client.ts';
import { clusterError } from './cluster-errors.ts';
import { isOver, readStreamRow, rowOf, type StreamRow } from './stream-rows.ts';
import { ADMINISTRATOR, type TableCatalog } from './table-catalog.ts';

/** What the operations of DynamoDB Streams are made from. */
export interface StreamParts {
  readonly client: DynamoClient;
  readonly streams: StreamClient;
  readonly catalog: TableCatalog;
  /** What the clock of the API said when that of a node said `atMs`. */
  readonly timeOf: (atMs: number) => number;
}

/** A stream as requests see it. */
export interface StreamView extends StreamRow {
  readonly status: 'ENABLING' | 'ENABLED' | 'DISABLING' | 'DISABLED';
}

/** Finds streams by their names: those of tables at hand cost no request to the ring. */
export class StreamViews {
  readonly #client: DynamoClient;
  readonly #catalog: TableCatalog;

  constructor({ client, catalog }: Pick<StreamParts, 'client' | 'catalog'>) {
    this.#client = client;
    this.#catalog = catalog;
  }

  /** @throws ApiError if there is none of this ARN, it is over, or the cluster fails */
  async get(namespace: string, arn: string, nowMs: number): Promise<StreamView> {
    const view = await this.#find(namespace, namedStream(arn), nowMs);
    if (view === undefined) throw streamNotFound(arn);
    return view;
  }

  async #find(namespace: string, name: StreamName, nowMs: number): Promise<StreamView | undefined> {
    const cached = this.#presentOf(namespace, name);
    if (cached !== undefined) return cached;
    const row = await readStreamRow(this.#client, { namespace, ...name });
    if (row === undefined || isOver(row, nowMs)) return undefined;
    if (row.endedAtMs !== undefined) return { ...row, status: 'DISABLED' };
    const table = await this.#catalog.present(namespace, name.table, ADMINISTRATOR);
    const isPresent = table?.stream?.storageId === row.storageId && table.transition?.status !== 'DELETING';
    return { ...row, status: !isPresent ? 'DISABLING' : table.stream?.isEnabling ? 'ENABLING' : 'ENABLED' };
  }

  #presentOf(namespace: string, { table: name, startedAtMs }: StreamName): StreamView | undefined {
    const table = this.#catalog.cached(namespace, name);
    if (table === undefined || table.stream?.startedAtMs !== startedAtMs) return undefined;
    const row = rowOf(table);
    return row && { ...row, status: table.stream.isEnabling ? 'ENABLING' : 'ENABLED' };
  }
}

/** The number of a shard of a stream. @throws ResourceNotFoundException */
export function shardOf(view: StreamView, id: string): number {
  const shard = shardOfId(view, id);
  if (shard === undefined) throw shardNotFound();
  return shard;
}

/** Where the log of a shard begins and ends. @throws ApiError if the cluster fails */
export async function endsOf(
  streams: StreamClient,
  place: StreamShard,
): Promise<Extract<LogEndsOutcome, { kind: 'log-ends' }>> {
  const outcome = await streams.logEnds(place);
  if (outcome.kind !== 'log-ends') throw clusterError(outcome);
  return outcome;
}

/** @throws ValidationException in the form of those of the schemas: the service's model has no maximum for it */
export function checkLimit(limit: number, most: number): void {
  if (limit <= most) return;
  throw validationErrors([
    `Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to ${most}`,
  ]);
}
