import { derivedStream } from './derivation.ts';
import { invalidParameter } from './invalid-parameter.ts';
import { type Stream, storageIdOf, type Table } from './table-definition.ts';

/** What a stream that is enabled needs. */
export interface NewStreams {
  /** Makes a random UUID. */
  readonly newId: () => string;
  /** Into how many shards new streams are cut. */
  readonly streamShards: number;
}

/**
 * A table that was never used, with a place for the changes of its stream.
 * @throws ValidationException in a table in `dynamo` mode: a blind put there does not know the item that it replaces, so nobody
 *   could say what has changed. The text is our own
 */
export function withNewStream(table: Table, streams: NewStreams): Table {
  const placed = withStreamStorage(table, streams);
  if (placed === table && table.stream?.viewType !== undefined) throw noStream();
  return placed === table ? table : { ...placed, derivation: table.derivation ?? 1 };
}

/**
 * A table whose stream a request has enabled or disabled: with a place for the changes of a new one, and a higher version of
 * what is derived from the items.
 * @throws ValidationException as `withNewStream`
 */
export function withChangedStream(table: Table, before: Table, streams: NewStreams): Table {
  const isEnabled = table.stream?.viewType !== undefined && before.stream?.viewType === undefined;
  const placed = isEnabled ? withStreamStorage(table, streams) : table;
  if (isEnabled && placed === table && table.replicas.length === 0) throw noStream();
  if (derivedStream(placed)?.storageId === derivedStream(before)?.storageId) return placed;
  const stream = isEnabled ? { ...placed.stream!, isEnabling: true as const } : placed.stream;
  return { ...placed, stream, derivation: Math.max(table.derivation ?? 0, (before.derivation ?? 0) + 1) };
}

/** Whether a table has a stream of which the nodes keep nothing, as a version of Dynaring made it that only described streams. */
export function isOlderThanChanges({ stream, consistency = 'strict' }: Table): boolean {
  return consistency === 'strict' && stream?.viewType !== undefined && stream.storageId === undefined;
}

/** Such a table with a place for what changes from now on. The stream keeps its ARN. */
export function withRenewedStream(table: Table, streams: NewStreams): Table {
  const placed = withStreamStorage(table, streams);
  const stream = { ...placed.stream!, isEnabling: true as const };
  return { ...placed, stream, derivation: (table.derivation ?? 0) + 1 };
}

/** The table when every write knows of its stream. */
export function withEnabledStream(table: Table): Table {
  if (table.stream?.isEnabling === undefined) return table;
  const { isEnabling: _, ...stream } = table.stream;
  return { ...table, stream };
}

/**
 * A restored table, whose items are there: the stream that it had in the snapshot begins anew, and has none of their changes.
 * @param was the stream in the snapshot, with the time at which it begins anew
 */
export function withRestoredStream(table: Table, was: Stream, streams: NewStreams): Table {
  const { viewType, startedAtMs } = was;
  if (viewType === undefined) return { ...table, stream: { startedAtMs } };
  const placed = withStreamStorage({ ...table, stream: { viewType, startedAtMs } }, streams);
  return placed.stream?.storageId === undefined ? placed : { ...placed, derivation: (table.derivation ?? 0) + 1 };
}

function withStreamStorage(table: Table, { newId, streamShards }: NewStreams): Table {
  const { stream, consistency = 'strict' } = table;
  if (stream?.viewType === undefined || consistency !== 'strict') return table;
  return { ...table, stream: { ...stream, storageId: storageIdOf(newId()), shards: streamShards } };
}

function noStream() {
  return invalidParameter('StreamSpecification: a table with the consistency dynamo has no stream');
}
