import type { ItemImage } from '../../api/item.ts';
import type { MutationOutcome } from '../../api/mutation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Failure } from '../client.ts';
import { NOTHING_DERIVED } from '../derived/basis.ts';
import { successor } from '../derived/derive.ts';
import { partitionOf } from '../keyspace.ts';
import { isCopy, type Reply, type Request } from '../messages.ts';
import type { ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';
import { type Task, waitAtMost } from '../task.ts';
import type { Coordinator } from './coordinator.ts';
import type { Carried, HandedBack } from './handed-back.ts';
import type { Operation } from './operation.ts';
import { askCommitted, isAnyUnable, type RegisterReadOutcome } from './register-read.ts';

/** The part of such a write that another coordinator may continue. */
export type CarriedRecord = Extract<Carried, { kind: 'record' }>;

/** A put or delete without condition in `dynamo` mode. */
export interface BlindWrite extends Operation {
  /** In full, since the key holds a hash of it. */
  readonly partitionKey: ByteString;
  /** Undefined: a delete. */
  readonly item: ItemImage | undefined;
  /** The newest record of the key on this node: the write is ordered after it, wherever the clock stands. */
  readonly known: ItemRecord | undefined;
  /** What another coordinator has handed back of the same write. */
  readonly carried: CarriedRecord | undefined;
}

/**
 * Carries out a blind write (the Dynamo paper, sections 4.5 and 4.6): sends the record to the first N healthy nodes of
 * the preference list and answers when W of them have it on their disks. A node that stands in for a home replica keeps
 * the record for it as a hint. No replica is read: of two concurrent writes the one with the greater ballot stays. A
 * coordinator that is cut off from W nodes hands the record back; another may send it again as it is.
 */
export function* writeSloppily(
  coordinator: Coordinator,
  write: BlindWrite,
): Task<MutationOutcome | Failure | HandedBack> {
  const { key, deadlineMs, item, known, carried } = write;
  const { settings, clock, view } = coordinator;
  if (known !== undefined) coordinator.ballots.dynamo.follow(known.ballot);
  const record = carried?.record ?? blindRecord(coordinator, write);
  const round = new SloppyRound(coordinator, write, record);
  const everybody = view.preferenceList(partitionOf(key)).map((node) => ({ node }));
  let isCutOff = false;
  while (round.holders.size < settings.writeQuorum && !isCutOff && !coordinator.isPast(deadlineMs)) {
    yield* round.send();
    isCutOff = coordinator.isCutOff(everybody, settings.writeQuorum);
  }
  const isWritten = round.holders.size >= settings.writeQuorum;
  // Homes that seemed to be up get hints if they do not answer soon. So do those from which a rule of lag holds the
  // record back: no replica has accepted it before, and what is held back in memory alone could be lost.
  const sinceMs = clock.elapsedMs();
  coordinator.hintLater({ operation: write, record, holders: round.covered, lagging: new Set(), sinceMs });
  if (isWritten) return { kind: 'applied', next: item, old: undefined };
  return isCutOff ? { kind: 'handed-back', carried: { kind: 'record', record } } : { kind: 'unknown' };
}

/** Nothing is known of the item before, so of a table's indexes only the local ones are derived. */
function blindRecord({ ballots, view }: Coordinator, { key, partitionKey, item, derivation }: BlindWrite): ItemRecord {
  const fields = { ballot: ballots.dynamo.next(), item, partitionKey, lineage: [] };
  if (derivation === undefined) return successor(undefined, fields, NOTHING_DERIVED);
  return successor(undefined, fields, { ...NOTHING_DERIVED, key, partitions: view.partitions, derivation });
}

/** One write on its way to the first N nodes that answer. */
class SloppyRound {
  /** Nodes that have the record, as their own or as a hint. */
  readonly holders = new Set<NodeId>();
  /** Home replicas that have it, or for which a substitute keeps it. */
  readonly covered = new Set<NodeId>();
  readonly #coordinator: Coordinator;
  readonly #operation: Operation;
  readonly #record: ItemRecord;
  /** Nodes that did not reply in time: this write takes them for down. */
  readonly #silent = new Set<NodeId>();
  readonly #asked = new Set<NodeId>();
  #isRetry = false;

  constructor(coordinator: Coordinator, operation: Operation, record: ItemRecord) {
    this.#coordinator = coordinator;
    this.#operation = operation;
    this.#record = record;
  }

  /**
   * Sends the copies that are missing, each to its home replica if that seems up and else to a substitute. Waits until
   * W nodes have the record, or until the time-out of a phase.
   */
  *send(): Task<void> {
    const { clock, settings } = this.#coordinator;
    const round = this.#plan();
    this.#isRetry = true;
    yield* waitAtMost<void>(clock, settings.limits.phaseTimeoutMs, (phase) => {
      for (const { node, home, request } of round) {
        this.#asked.add(node);
        this.#coordinator.send(node, request, (reply) => {
          if (!isTaken(reply)) return;
          this.holders.add(node);
          this.covered.add(home);
          if (this.holders.size >= settings.writeQuorum) phase.finish();
        });
      }
    });
    for (const { node } of round) if (!this.holders.has(node)) this.#silent.add(node);
  }

  /** Which node to send which request, for each home replica without a copy. */
  #plan(): { readonly node: NodeId; readonly home: NodeId; readonly request: Request }[] {
    const { view, isUp, settings } = this.#coordinator;
    const { requestId, key } = this.#operation;
    const record = this.#record;
    const partition = partitionOf(key);
    const homes = view.newestConfig(partition).members.map(({ node }) => node);
    const isWell = (node: NodeId) => isUp(node) && !this.#silent.has(node);
    const substitutes = view
      .preferenceList(partition)
      .filter((node) => !homes.includes(node) && !this.#asked.has(node) && isWell(node));
    return homes
      .filter((home) => !this.covered.has(home))
      .map((home) => {
        const node = isWell(home) ? home : substitutes.shift();
        // No substitute is left: perhaps the home is up after all.
        if (node === undefined || node === home) {
          const isNeeded = this.#isRetry || home === settings.id;
          return { node: home, home, request: { kind: 'learn', requestId, key, record, isFlushed: true, isNeeded } };
        }
        return { node, home, request: { kind: 'hint', requestId, key, record, home } };
      });
  }
}

function isTaken(reply: Reply): boolean {
  return reply.kind === 'hinted' || isCopy(reply);
}

/**
 * A read in `dynamo` mode: asks the first N healthy nodes, of which substitutes answer with the hints they keep, and
 * returns the newest record of the first `needed` answers. Replicas that are found to be stale are repaired afterwards.
 *
 * @param needed for a consistent read, `consistentReadQuorum`
 */
export function* readSloppily(
  coordinator: Coordinator,
  operation: Operation,
  needed = coordinator.settings.readQuorum,
): Task<RegisterReadOutcome> {
  const { key, deadlineMs } = operation;
  const { view, isUp } = coordinator;
  const partition = partitionOf(key);
  const everybody = view.preferenceList(partition);
  const replication = view.newestConfig(partition).members.length;
  let targets = everybody.filter((node) => isUp(node)).slice(0, replication);
  if (targets.length < needed) targets = [...everybody];
  let got = 0;
  while (!coordinator.isPast(deadlineMs)) {
    const members = targets.map((node) => ({ node }));
    const { outcome, agreed, replies } = yield* askCommitted(coordinator, operation, members, needed);
    if (outcome !== undefined) return outcome;
    got = agreed;
    if (isAnyUnable(replies)) yield* coordinator.pause();
    targets = [...everybody];
    const reachable = everybody.map((node) => ({ node }));
    if (coordinator.isCutOff(reachable, needed)) break;
  }
  return { kind: 'unavailable', needed, got };
}

/** How many replies a consistent read in `dynamo` mode needs: of so many, one is from one of the W holders among N. */
export function consistentReadQuorum(coordinator: Coordinator, key: StoreKey): number {
  const { readQuorum, writeQuorum } = coordinator.settings;
  return Math.max(readQuorum, coordinator.configOfKey(key).members.length - writeQuorum + 1);
}
