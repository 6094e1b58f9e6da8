import { regionOf } from '../api/arn.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import { AdminError } from '../api/fault-rule.ts';
import { fromImage } from '../api/item.ts';
import { LOG_START, RETENTION_MS, type StreamPosition, streamArn } from '../api/stream.ts';
import { streamRecord } from '../api/stream-record.ts';
import type { StreamViewType } from '../api/table-requests.ts';
import type { LoggedChange } from '../dynamo/stream-client.ts';
import { checkNamespace } from './namespace.ts';
import { rowOf, type StreamRow } from './stream-rows.ts';
import { endsOf, type StreamParts } from './stream-view.ts';
import { ADMINISTRATOR } from './table-catalog.ts';

/** A record of a stream as a function of AWS Lambda gets it. Binaries are in base64, as in a request's JSON. */
export interface StreamRecord {
  /** 32 hexadecimal digits. */
  readonly eventID: string;
  readonly eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  readonly eventVersion: string;
  readonly eventSource: string;
  readonly awsRegion: string;
  readonly eventSourceARN: string;
  readonly dynamodb: {
    /** Seconds since 1970. */
    readonly ApproximateCreationDateTime: number;
    readonly Keys: AttributeMap;
    readonly NewImage?: AttributeMap;
    readonly OldImage?: AttributeMap;
    readonly SequenceNumber: string;
    readonly SizeBytes: number;
    readonly StreamViewType: StreamViewType;
  };
  /** Only if the item had expired. */
  readonly userIdentity?: { readonly type: string; readonly principalId: string };
}

export interface StreamOptions {
  /** Default: from the oldest record that is kept. `LATEST`: what is written after `ready`. */
  readonly from?: 'TRIM_HORIZON' | 'LATEST';
  /** Default: that of clients without one. */
  readonly namespace?: string;
}

/** The records of a stream, for `for await`. It ends with the stream, or with the server; until then it waits for more. */
export interface StreamRecords extends AsyncIterableIterator<StreamRecord> {
  /** Resolves when it is known where to begin. Rejects with an AdminError if the table has no stream. */
  readonly ready: Promise<void>;
}

export interface StreamReaderParts extends StreamParts {
  /** The clock of the API, in ms since 1970. */
  readonly nowMs: () => number;
  /** @returns false if the server is stopping */
  readonly wait: (ms: number) => Promise<boolean>;
}

/** How many records are read ahead of whoever wants them. */
const PAGE = 100;
/** Pauses between two looks for more, in ms: at first, and at most. */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/** Where a reader is in one shard; undefined: at its end. */
type Place = StreamPosition | undefined;

/** Reads the present stream of a table, whatever fault rules say of requests. Nothing is read before it is asked for. */
export function readStream(parts: StreamReaderParts, tableName: string, options: StreamOptions = {}): StreamRecords {
  const beginning = begin(parts, tableName, options);
  // Whoever iterates gets the error too.
  beginning.catch(() => {});
  const records = recordsOf(parts, beginning);
  return Object.assign(records, { ready: beginning.then(() => {}) });
}

interface Beginning {
  readonly row: StreamRow;
  /** By shard. */
  readonly places: Place[];
}

async function begin(parts: StreamReaderParts, tableName: string, options: StreamOptions): Promise<Beginning> {
  const { from = 'TRIM_HORIZON', namespace = '' } = options;
  const table = await parts.catalog.present(checkNamespace(namespace), tableName, ADMINISTRATOR);
  const row = table && rowOf(table);
  if (row === undefined) throw new AdminError(`the table ${tableName} has no stream`, 'table', 404);
  const { storageId: stream, shards } = row;
  const places: Place[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const isLatest = from === 'LATEST';
    places.push(isLatest ? (await endsOf(parts.streams, { stream, shard, shards })).next : LOG_START);
  }
  return { row, places };
}

async function* recordsOf(parts: StreamReaderParts, beginning: Promise<Beginning>): AsyncGenerator<StreamRecord, void> {
  const { row, places } = await beginning;
  let pauseMs = FIRST_PAUSE_MS;
  while (places.some((place) => place !== undefined)) {
    let isIdle = true;
    for (const [shard, place] of places.entries()) {
      if (place === undefined) continue;
      const page = await readPage(parts, row, shard, place).catch(async (error: unknown) => {
        // The ring closes.
        if (await parts.wait(0)) throw error;
        return undefined;
      });
      if (page === undefined) return;
      places[shard] = page.next;
      if (page.records.length > 0) isIdle = false;
      yield* page.records;
    }
    pauseMs = isIdle ? Math.min(2 * pauseMs, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    if (isIdle && !(await parts.wait(pauseMs))) return;
  }
}

async function readPage(
  { streams, timeOf, nowMs }: StreamReaderParts,
  row: StreamRow,
  shard: number,
  from: StreamPosition,
): Promise<{ readonly records: readonly StreamRecord[]; readonly next: Place }> {
  const { storageId: stream, shards } = row;
  const outcome = await streams.readLog({ stream, shard, shards, from, limit: PAGE });
  if (outcome.kind === 'trimmed') return { records: [], next: outcome.lowest };
  // Too few nodes are up: that passes.
  if (outcome.kind !== 'changes') return { records: [], next: from };
  const isKept = ({ atMs }: LoggedChange) => nowMs() - timeOf(atMs) < RETENTION_MS;
  const records = outcome.changes.filter(isKept).map((change) => recordOf(change, row, shard, timeOf(change.atMs)));
  return { records, next: outcome.isEnded ? undefined : outcome.next };
}

function recordOf(change: LoggedChange, row: StreamRow, shard: number, atMs: number): StreamRecord {
  const { storageId: stream, viewType, tableArn } = row;
  const { dynamodb, userIdentity, ...rest } = streamRecord(
    change,
    { stream, shard, viewType, region: regionOf(tableArn) },
    atMs,
  );
  const { old, next, key } = change;
  return {
    ...rest,
    eventSourceARN: streamArn(tableArn, row),
    dynamodb: {
      ...dynamodb,
      Keys: fromImage(key),
      NewImage: next && fromImage(next),
      OldImage: old && fromImage(old),
    },
    ...(userIdentity && { userIdentity: { type: userIdentity.Type, principalId: userIdentity.PrincipalId } }),
  };
}
