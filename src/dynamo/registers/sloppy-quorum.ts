import type { ItemImage } from '../../api/item.ts';
import type { MutationOutcome } from '../../api/mutation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Failure } from '../client.ts';
import { partitionOf } from '../keyspace.ts';
import { isCopy, type Reply, type Request } from '../messages.ts';
import { highestCommitted, ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';
import { type Task, wait } from '../task.ts';
import type { Coordinator } from './coordinator.ts';
import type { Carried, HandedBack } from './handed-back.ts';
import { isAnyUnable, LateRepair, type RegisterReadOutcome, repairLaggards } from './register-read.ts';

/** The part of such a write that another coordinator may carry on with. */
export type CarriedRecord = Extract<Carried, { kind: 'record' }>;

/**
 * A put or delete without condition in `dynamo` mode (the Dynamo paper, sections 4.5 and 4.6): goes to the first N healthy
 * nodes of the preference list, and is answered when W of them have it on their disks. A node that stands in for a home replica keeps the
 * record for it as a hint. Nobody else is asked what there is: of two writes at a time the one with the greater ballot stays.
 * A coordinator that is cut off from W nodes hands the record back, which another may send again as it is.
 *
 * @param known what this node itself has of the key: the write comes after it, however its clock stands
 * @param item undefined: a delete
 * @param carried what another coordinator has handed back of the same write
 */
export function* writeSloppily(
  coordinator: Coordinator,
  key: StoreKey,
  partitionKey: ByteString,
  known: ItemRecord | undefined,
  item: ItemImage | undefined,
  deadlineMs: number,
  carried?: CarriedRecord,
): Task<MutationOutcome | Failure | HandedBack> {
  const { settings, clock, view } = coordinator;
  if (known !== undefined) coordinator.ballots.dynamo.follow(known.ballot);
  const record =
    carried?.record ?? new ItemRecord({ ballot: coordinator.ballots.dynamo.next(), item, partitionKey, lineage: [] });
  const round = new SloppyRound(coordinator, key, record);
  const everybody = view.preferenceList(partitionOf(key)).map((node) => ({ node }));
  let isCutOff = false;
  while (round.holders.size < settings.writeQuorum && !isCutOff && !coordinator.isPast(deadlineMs)) {
    yield* round.send();
    isCutOff = coordinator.isCutOff(everybody, settings.writeQuorum);
  }
  const isWritten = round.holders.size >= settings.writeQuorum;
  // Homes that were thought to be up get hints if they do not answer soon.
  // So do those from which a rule of lag holds it back: nobody has accepted it before, and memory is no place for it.
  const sinceMs = clock.elapsedMs();
  coordinator.spread({ key, record, holders: round.covered, lagging: new Set(), sinceMs });
  if (isWritten) return { kind: 'applied', next: item, old: undefined };
  return isCutOff ? { kind: 'handed-back', carried: { kind: 'record', record } } : { kind: 'unknown' };
}

/** One write on its way to the first N nodes that answer. */
class SloppyRound {
  /** Nodes that have the record, as their own or as a hint. */
  readonly holders = new Set<NodeId>();
  /** Home replicas that have it, or for which a substitute keeps it. */
  readonly covered = new Set<NodeId>();
  readonly #coordinator: Coordinator;
  readonly #key: StoreKey;
  readonly #record: ItemRecord;
  /** Nodes that were asked and have not answered in time: down, as far as this write is concerned. */
  readonly #silent = new Set<NodeId>();
  readonly #asked = new Set<NodeId>();
  #isRetry = false;

  constructor(coordinator: Coordinator, key: StoreKey, record: ItemRecord) {
    this.#coordinator = coordinator;
    this.#key = key;
    this.#record = record;
  }

  /** Asks for the copies that are missing, each of its home if that seems up and else of a substitute. */
  *send(): Task<void> {
    const { clock, settings } = this.#coordinator;
    const round = this.#plan();
    this.#isRetry = true;
    yield* wait<void>((resume) => {
      let isOver = false;
      const finish = () => {
        if (isOver) return;
        isOver = true;
        clock.cancel(timer);
        for (const { node } of round) if (!this.holders.has(node)) this.#silent.add(node);
        resume();
      };
      const timer = clock.after(settings.limits.phaseTimeoutMs, finish);
      for (const { node, home, request } of round) {
        this.#asked.add(node);
        this.#coordinator.send(node, request, (reply) => {
          if (!isTaken(reply)) return;
          this.holders.add(node);
          this.covered.add(home);
          if (this.holders.size >= settings.writeQuorum) finish();
        });
      }
    });
  }

  #plan(): { readonly node: NodeId; readonly home: NodeId; readonly request: Request }[] {
    const { view, isUp, settings } = this.#coordinator;
    const key = this.#key;
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
        // Nobody left to stand in: perhaps the home is up after all.
        if (node === undefined || node === home) {
          const isNeeded = this.#isRetry || home === settings.id;
          return { node: home, home, request: { kind: 'learn', key, record, isFlushed: true, isNeeded } };
        }
        return { node, home, request: { kind: 'hint', key, record, home } };
      });
  }
}

function isTaken(reply: Reply): boolean {
  return reply.kind === 'hinted' || isCopy(reply);
}

/**
 * A read in `dynamo` mode: asks the first N healthy nodes, of which substitutes answer with the hints they keep, and
 * returns the newest of the first R answers; with `isConsistent`, of so many that one of any W holders is among them. Those
 * who are found to be behind are told afterwards.
 */
export function* readSloppily(
  coordinator: Coordinator,
  key: StoreKey,
  isConsistent: boolean,
  deadlineMs: number,
): Task<RegisterReadOutcome> {
  const { settings, view, isUp } = coordinator;
  const partition = partitionOf(key);
  const needed = isConsistent ? consistentReadQuorum(coordinator, key) : settings.readQuorum;
  const everybody = view.preferenceList(partition);
  const replication = view.newestConfig(partition).members.length;
  let targets = everybody.filter((node) => isUp(node)).slice(0, replication);
  if (targets.length < needed) targets = [...everybody];
  let got = 0;
  while (!coordinator.isPast(deadlineMs)) {
    const late = new LateRepair(coordinator, key);
    const members = targets.map((node) => ({ node }));
    const { agreed, replies } = yield* coordinator.ask(members, { kind: 'read-committed', key }, 'state', needed, late);
    if (agreed.length >= needed) {
      const newest = highestCommitted(agreed);
      if (newest !== undefined) repairLaggards(coordinator, key, newest, agreed);
      late.begin(newest);
      return { kind: 'read', record: newest };
    }
    got = agreed.length;
    if (isAnyUnable(replies)) yield* coordinator.pause();
    targets = [...everybody];
    const reachable = everybody.map((node) => ({ node }));
    if (coordinator.isCutOff(reachable, needed)) break;
  }
  return { kind: 'unavailable', needed, got };
}

/** How many answers a consistent read in `dynamo` mode waits for: with W holders of N, one of them is among so many. */
export function consistentReadQuorum(coordinator: Coordinator, key: StoreKey): number {
  const { readQuorum, writeQuorum } = coordinator.settings;
  return Math.max(readQuorum, coordinator.configOfKey(key).members.length - writeQuorum + 1);
}
