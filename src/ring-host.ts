import { RingError } from './dynamo/membership.ts';
import type { Reply, Request } from './dynamo/messages.ts';
import type { StorageNode } from './dynamo/node.ts';
import type { NodeId } from './dynamo/ring.ts';
import { DamagedStateError } from './dynamo/state-rows.ts';
import { DataDirectoryError } from './env/data-directory.ts';
import type { LinkFault } from './env/faults.ts';
import { LmdbStore, type LmdbStoreOptions } from './env/lmdb-store.ts';
import type { StoppableClock } from './env/stoppable-clock.ts';
import type { Transport } from './env/transport.ts';
import type { PausedNode } from './paused-node.ts';

/** Messages on a slow link are in memory; a minute is beyond all that waits for one. */
const MAX_DELAY_MS = 60_000;

/** A node of this process. */
export interface Host {
  readonly id: NodeId;
  diskId: number;
  /** Undefined while it is stopped. */
  running: Running | undefined;
  /** Defined while it is paused. */
  door: PausedNode | undefined;
  /** The last of what was asked to happen to it. */
  turn: Promise<unknown>;
}

export interface Running {
  readonly node: StorageNode;
  readonly store: LmdbStore;
  /** Ends with it: a node that has stopped does nothing more, as if its process were gone. */
  readonly clock: StoppableClock;
  /** Tells those who wait for something that it does. */
  readonly onStop: Set<() => void>;
}

export function newHost(id: NodeId, diskId: number): Host {
  return { id, diskId, running: undefined, door: undefined, turn: Promise.resolve() };
}

/** @throws DataDirectoryError */
export function openStore(path: string, options: LmdbStoreOptions): LmdbStore {
  try {
    return new LmdbStore(path, options);
  } catch (error) {
    throw new DataDirectoryError(`cannot open the data in ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** What a start that has failed says: of a node that cannot know what it has promised, also what to do. */
export function startError(error: unknown, id: NodeId, path: string): unknown {
  if (!(error instanceof DamagedStateError)) return error;
  return new DataDirectoryError(
    `${path} is damaged: ${error.message}; remove that folder, and ${id} begins with an empty disk that the others fill`,
  );
}

/** What a node that has stopped sends goes nowhere, and it hears no answers, late ones of a slow link either. */
export function untilStopped(transport: Transport<Request, Reply>, clock: StoppableClock): Transport<Request, Reply> {
  return {
    send: (to, request, onReply) => {
      if (clock.isStopped) return;
      transport.send(to, request, (reply) => {
        if (!clock.isStopped) onReply(reply);
      });
    },
  };
}

/** Has a node do something, whose outcome is `ifStopped` if it stops before the end. */
export function whileRunning<T>(
  { onStop }: Running,
  done: (outcome: T) => void,
  ifStopped: T,
  begin: (done: (outcome: T) => void) => void,
): void {
  const finish = (outcome: T) => {
    if (onStop.delete(stopped)) done(outcome);
  };
  const stopped = () => finish(ifStopped);
  onStop.add(stopped);
  begin(finish);
}

/** The sums of two reports. */
export function addUp<Report extends { readonly [Name in keyof Report]: number }>(one: Report, other: Report): Report {
  const names = Object.keys(one) as (keyof Report)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as Report;
}

/** @throws RingError that names what of a link's fault makes no sense */
export function checkFault({ delayMs = 0, dropRate = 0 }: LinkFault): void {
  // Not as `delayMs < 0`, which NaN is not.
  if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) {
    throw new RingError(`delayMs must be from 0 to ${MAX_DELAY_MS}, not ${delayMs}`);
  }
  if (!(dropRate >= 0 && dropRate <= 1)) throw new RingError(`dropRate must be from 0 to 1, not ${dropRate}`);
}
