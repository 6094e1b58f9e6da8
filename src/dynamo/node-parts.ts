import type { ByteString } from '../api/primary-key.ts';
import type { Env } from '../env/env.ts';
import type { StoreKey } from '../env/store.ts';
import type { Transport } from '../env/transport.ts';
import { consistencyOf } from './ballot.ts';
import { BallotClocks } from './ballot-clock.ts';
import type { Consistency } from './client.ts';
import { Coordination } from './coordination.ts';
import { Derivations } from './derived/derivations.ts';
import { type DerivedParts, wireDerived } from './derived/wire-derived.ts';
import { ConfigAcceptor } from './epochs/config-acceptor.ts';
import { ConfigBallots } from './epochs/config-round.ts';
import { EpochFollower } from './epochs/epoch-follower.ts';
import { EpochStaging } from './epochs/epoch-staging.ts';
import { EpochSwitch } from './epochs/epoch-switch.ts';
import { MemberRegister } from './epochs/member-register.ts';
import { Orphans } from './epochs/orphans.ts';
import type { PartitionVotes } from './epochs/partition-votes.ts';
import { stagedAttempt } from './epochs/staged-rows.ts';
import { FailureDetector, watched } from './failure-detector.ts';
import { Gossip } from './gossip.ts';
import { AntiEntropy } from './healing/anti-entropy.ts';
import { HintedHandoff } from './healing/hinted-handoff.ts';
import { KeyRestore } from './healing/key-restore.ts';
import { MerkleForest } from './healing/merkle-forest.ts';
import { PurgeMember } from './healing/purge-member.ts';
import { compareWithPeer } from './healing/replica-comparison.ts';
import { Scrub } from './healing/scrub.ts';
import { TombstonePurge } from './healing/tombstones.ts';
import { partitionOf } from './keyspace.ts';
import type { Reply, Request } from './messages.ts';
import type { NodeEvents } from './node-events.ts';
import type { NodeSettings } from './node-settings.ts';
import type { NodeState } from './node-state.ts';
import type { ItemRecord } from './record.ts';
import { Acceptor } from './registers/acceptor.ts';
import { Coordinator } from './registers/coordinator.ts';
import { Fences } from './registers/fences.ts';
import { Finisher } from './registers/finisher.ts';
import { KeyLock } from './registers/key-lock.ts';
import { LagGate } from './registers/lag-gate.ts';
import { readStrongly } from './registers/register-read.ts';
import { identityRound, type Proof } from './registers/register-write.ts';
import type { NodeId } from './ring.ts';
import { RingView } from './ring-view.ts';
import type { Task } from './task.ts';

/*
 * How a node is put together: in five steps, each of which uses only what the steps before it have made. What would
 * lead back is an event (`NodeEvents`).
 */

/** Everything that a node is made from. */
export interface NodeBasis {
  readonly settings: NodeSettings;
  readonly env: Env;
  readonly wire: Transport<Request, Reply>;
  readonly state: NodeState;
  readonly events: NodeEvents;
}

/** This node's knowledge of the other nodes, and its connection to them. */
interface Surroundings {
  /** The ring as this node knows it. */
  readonly view: RingView;
  readonly detector: FailureDetector;
  readonly transport: Transport<Request, Reply>;
  readonly isUp: (node: NodeId) => boolean;
  /** The newest config known of a key's partition. */
  readonly configOfKey: (key: StoreKey) => ReturnType<RingView['newestConfig']>;
}

/** The records that this node stores, and the guards of the ways to them. */
interface Replica {
  readonly votes: PartitionVotes;
  readonly ballots: BallotClocks;
  readonly acceptor: Acceptor;
  readonly gate: LagGate;
  readonly hints: HintedHandoff;
  readonly forest: MerkleForest;
  readonly purgeMember: PurgeMember;
  readonly fences: Fences;
}

/** Coordinates requests of clients, and finishes rounds that other coordinators have left. */
interface Leadership extends DerivedParts {
  readonly coordinator: Coordinator;
  readonly coordination: Coordination;
  readonly locks: KeyLock;
  readonly finisher: Finisher;
}

/** Keeps replicas alike and whole. */
interface Repair {
  readonly antiEntropy: AntiEntropy;
  readonly restore: KeyRestore;
  readonly scrub: Scrub;
  readonly purge: TombstonePurge;
}

/** Takes this node from one epoch to the next. */
interface Epochs {
  readonly epochSwitch: EpochSwitch;
  readonly epochStaging: EpochStaging;
  readonly epochFollower: EpochFollower;
  readonly orphans: Orphans;
  readonly gossip: Gossip;
  readonly configAcceptor: ConfigAcceptor;
  readonly configRegister: MemberRegister;
}

export interface NodeParts extends Surroundings, Replica, Leadership, Repair, Epochs {}

/** Makes all parts of a node. None of them does anything before it is started or asked. */
export function wireNode(basis: NodeBasis): NodeParts {
  const surroundings = wireSurroundings(basis);
  const replica = wireReplica(basis, surroundings);
  const leadership = wireLeadership(basis, { ...surroundings, ...replica });
  const repair = wireRepair(basis, { ...surroundings, ...replica, ...leadership });
  const epochs = wireEpochs(basis, { ...surroundings, ...replica, ...leadership, ...repair });
  return { ...surroundings, ...replica, ...leadership, ...repair, ...epochs };
}

function wireSurroundings({ settings, env, wire, state }: NodeBasis): Surroundings {
  const { id, limits, ring } = settings;
  const view = new RingView(ring);
  for (const config of state.votes.known) view.learnConfig(config);
  const detector = new FailureDetector({
    self: id,
    clock: env.clock,
    limits,
    probe: (node) => transport.send(node, { kind: 'ping' }, () => {}),
  });
  const transport = watched(wire, detector);
  const isUp = (node: NodeId) => detector.isUp(node);
  return { view, detector, transport, isUp, configOfKey: (key) => view.newestConfig(partitionOf(key)) };
}

function wireReplica(
  { settings, env, state, events }: NodeBasis,
  { view, transport, isUp, configOfKey }: Surroundings,
): Replica {
  const { id: self, diskId, limits, rules, writeQuorum } = settings;
  const { store, clock, log } = env;
  const { votes, boot, ceilingHlc } = state;
  const ballots = new BallotClocks({ clock, coordinator: diskId, boot, ceilingHlc, limits, rules });
  const acceptor = new Acceptor({ settings, store, clock, state, events });
  const gate = new LagGate({
    self,
    clock,
    partitions: view.partitions,
    limits,
    writeQuorum,
    membersOf: (key) => configOfKey(key).members,
    isUp,
    committed: (key) => acceptor.stateOf(key).committed?.ballot,
    released: (key, record) => events.heldReleased(key, record),
  });
  const hints = new HintedHandoff({ self, store, clock, log, limits, transport, isUp, configOfKey });
  const forest = new MerkleForest({
    store,
    clock,
    limits,
    partitions: view.partitions,
    onDamaged: (key) => events.damagedRowMet(key),
    settledOf: (key, committed) => acceptor.rows.outbox.settledOf(key, { committed }),
  });
  const hasOtherRecord = (key: StoreKey) =>
    hints.hasHint(key) ||
    (rules.heldYields && gate.countOf(key) > 0) ||
    (rules.purgeWaitsForOwed && acceptor.rows.outbox.has(key));
  const purgeMember = new PurgeMember({ settings, store, clock, votes, acceptor, hasOtherRecord });
  return { votes, ballots, acceptor, gate, hints, forest, purgeMember, fences: new Fences(store, clock) };
}

function wireLeadership(basis: NodeBasis, parts: Surroundings & Replica): Leadership {
  const { settings, env, state, events } = basis;
  const { view, detector, transport, isUp, ballots, acceptor, gate, hints, votes, forest } = parts;
  const { limits } = settings;
  const { clock, random } = env;
  const coordinator: Coordinator = new Coordinator({
    settings,
    ballots,
    clock,
    random,
    transport,
    view,
    boot: state.boot,
    isUp,
    isSilent: (node, forMs) => detector.isSilent(node, forMs),
    keepHint: (home, { requestId, key }, record) => {
      if (hints.keep(home, { requestId, key, record })) settings.onHint?.({ requestId, home, ballot: record.ballot });
    },
    derivations: new Derivations({
      clock,
      partitions: view.partitions,
      freshMs: limits.derivationFreshMs,
      messageLifeMs: limits.messageLifeMs,
      read: (key, deadlineMs) => readStrongly(coordinator, { requestId: undefined, key, deadlineMs }),
    }),
    settler: {
      settledOf: (key) => derived.propagation.settledOf(key),
      noteSettled: (key, settled) => derived.propagation.noteSettled(key, settled),
      chosen: (operation, record) => derived.propagation.chosen(operation, record),
      settle: (operation, record) => derived.propagation.settle(operation, record),
    },
    onConfig: (config) => events.configReceived(config),
  });
  const locks = new KeyLock(limits);
  const derived: DerivedParts = wireDerived({ settings, env, acceptor, votes, coordinator, locks });
  const finisher = new Finisher({
    acceptedKeys: (after, limit) => acceptor.rows.acceptedKeys(after, limit, (key) => gate.isLagging(key)),
    finish: (key, mode, done) => finishKey({ coordinator, locks }, key, mode, done),
    clock,
    limits,
  });
  const { propagation, propagationHold } = derived;
  const forgetTable = (table: ByteString) => {
    for (const part of [gate, acceptor, hints, propagationHold, derived.logs]) part.forgetTable(table);
  };
  const coordination = new Coordination({
    coordinator,
    acceptor,
    hints,
    locks,
    votes,
    forest,
    propagation,
    logDesk: derived.logDesk,
    fences: parts.fences,
    dueOf: ({ table, ageMs }) => acceptor.rows.outbox.countOf(table, ageMs),
    forgetTable,
  });
  return { coordinator, coordination, locks, finisher, ...derived };
}

function wireRepair(basis: NodeBasis, parts: Surroundings & Replica & Leadership): Repair {
  const { settings, env, events } = basis;
  const { id: self, limits, rules } = settings;
  const { store, clock, random, log } = env;
  const { view, transport, isUp, acceptor, hints, coordinator } = parts;
  const antiEntropy = new AntiEntropy({
    ...comparisonParts(basis, parts),
    random,
    view,
    isUp,
    intervalMs: settings.antiEntropyIntervalMs,
  });
  const restore = new KeyRestore({
    self,
    clock,
    log,
    coordinator,
    acceptor,
    retryMs: limits.finishIntervalMs,
    nothingToRestore: (partition) => events.nothingToRestore(partition),
  });
  const scrub = new Scrub({
    self,
    store,
    clock,
    log,
    intervalMs: settings.scrubIntervalMs ?? 0,
    acceptor,
    hints,
    restore,
  });
  const isYoung = (key: StoreKey) => rules.graceFromOwnLearn && acceptor.isYoungTombstone(key);
  const purge = new TombstonePurge({ self, store, clock, limits, view, isUp, isYoung, transport });
  return { antiEntropy, restore, scrub, purge };
}

function wireEpochs(basis: NodeBasis, parts: Omit<NodeParts, keyof Epochs>): Epochs {
  const { settings, env, events } = basis;
  const { id: self, limits, rules } = settings;
  const { store, clock, random, log } = env;
  const { view, transport, votes, acceptor, antiEntropy, fences } = parts;
  const epochSwitch = new EpochSwitch({
    self,
    store,
    log,
    limits: settings.limits,
    ...{ votes, acceptor, fences },
    events,
    newest: (told) => (rules.rowsNeverGoBack ? view.newestConfig(told.partition) : told),
    attemptOf: ({ partition, attempt }) => (rules.beginsWithDecided ? attempt : stagedAttempt(store, partition)),
    handOff: (partition, done) => antiEntropy.handOff(partition, done),
  });
  const comparison = comparisonParts(basis, parts);
  // An epoch begins with every record that was chosen before: what is gathered for it has to reach the disk.
  const learnPast = (key: StoreKey, record: ItemRecord) => learnPastGate(parts, key, record);
  const learnForEpoch = rules.epochsPassLagGate ? learnPast : comparison.learnHere;
  const epochStaging = new EpochStaging({
    self,
    store,
    clock,
    log,
    limits,
    transport,
    fences,
    copyFrom: ({ epoch, ...source }) =>
      compareWithPeer(
        { ...comparison, learnHere: learnForEpoch, epochOf: () => epoch, needsAll: true },
        { ...source, direction: 'pull' },
      ),
    isNamedIn: (config) => votes.isNamedIn(config),
    isBeginning: (partition) => epochSwitch.isBeginning(partition),
    decidedEpoch: (partition) => view.newestConfig(partition).epoch,
    votesIn: (partition) => votes.votingConfig(partition)?.epoch,
    leaversStay: rules.leaversStay,
    erase: (key) => acceptor.erase(key),
  });
  const epochFollower = new EpochFollower({ clock, limits, view, votes, epochSwitch });
  const orphans = new Orphans({ clock, limits, votes, view, acceptor, antiEntropy, epochStaging });
  const onConfig = events.configReceived.bind(events);
  const gossip = new Gossip({ self, view, clock, random, limits, transport, onConfig });
  const configAcceptor = new ConfigAcceptor({
    self,
    store,
    log,
    votes,
    newest: (partition) => view.newestConfig(partition),
  });
  const ballots = new ConfigBallots(settings.diskId, basis.state.boot);
  const configRegister = new MemberRegister({ coordinator: parts.coordinator, ballots });
  return { epochSwitch, epochStaging, epochFollower, orphans, gossip, configAcceptor, configRegister };
}

/** The parts of this node that a comparison of replicas needs. */
function comparisonParts(
  { settings, env }: NodeBasis,
  parts: Pick<NodeParts, 'acceptor' | 'ballots' | 'coordinator' | 'forest' | 'gate' | 'transport' | 'votes'>,
) {
  const { id: self, limits } = settings;
  const { clock, log } = env;
  const { acceptor, forest, transport, votes } = parts;
  return {
    self,
    clock,
    limits,
    transport,
    forest,
    learnHere: (key: StoreKey, record: ItemRecord) => learnThroughGate(parts, key, record),
    noteSettled: acceptor.rows.outbox.settled.bind(acceptor.rows.outbox),
    epochOf: (partition: number) => votes.votingConfig(partition)?.epoch,
    isStopped: () => acceptor.isStopped,
    settleConflict: (key: StoreKey) => {
      log.error('replicas hold different records under one ballot', { node: self });
      return settleConflict(parts, key);
    },
  };
}

type Learner = Pick<Replica, 'acceptor' | 'ballots' | 'gate'>;

/** This node's replica learns a chosen record, whatever rules of lag are in force. */
export function learnPastGate({ acceptor, ballots }: Omit<Learner, 'gate'>, key: StoreKey, record: ItemRecord): void {
  ballots.follow(record);
  acceptor.learn(key, record);
}

/** This node's replica learns a chosen record, or a rule of lag holds it back. */
function learnThroughGate(learner: Learner, key: StoreKey, record: ItemRecord): void {
  if (learner.gate.hold(key, record)) learner.ballots.follow(record);
  else learnPastGate(learner, key, record);
}

/** Ends a round that another coordinator may have left; `done` is called however that went. */
function finishKey(
  { coordinator, locks }: Pick<Leadership, 'coordinator' | 'locks'>,
  key: StoreKey,
  mode: Consistency,
  done: () => void,
): void {
  const begin = () => proveAlone(coordinator, { key, mode });
  // The write that holds the key is about to settle it.
  if (!locks.run(key, begin, done)) done();
}

/** Has one of the different records chosen that replicas hold of a key under one ballot. @returns whether it was */
function* settleConflict(
  { acceptor, coordinator }: Pick<NodeParts, 'acceptor' | 'coordinator'>,
  key: StoreKey,
): Task<boolean> {
  const { committed } = acceptor.stateOf(key);
  // An entry of an index is made of the item's record, and what settles that record makes it again.
  if (committed?.isEntry === true) return false;
  const mode = committed === undefined ? 'strict' : consistencyOf(committed.ballot);
  const outcome = yield* proveAlone(coordinator, { key, mode, isConflict: true });
  return outcome.kind === 'proven';
}

/** An identity round that no client has asked for. */
function proveAlone(
  coordinator: Coordinator,
  proof: Pick<Proof, 'key' | 'mode' | 'isConflict'>,
): ReturnType<typeof identityRound> {
  const deadlineMs = coordinator.deadline();
  return identityRound(coordinator, { ...proof, requestId: undefined, deadlineMs, isUntold: true });
}
