import type { PartitionConfig } from '../dynamo/messages.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { Clock } from '../env/clock.ts';
import type { PeerTransport, Port } from '../env/peer-channel.ts';
import { askPeer } from './ask-peers.ts';
import type { Goal } from './goal.ts';
import type { Release } from './level.ts';
import { type Membership, wantedBy } from './membership.ts';
import type { WantedMembers } from './mover.ts';
import { nameOf } from './node-name.ts';
import type { Peer } from './peer.ts';
import type { PeerAnswer, PeerRequest } from './peer-messages.ts';
import { type PeerState, peerStateOf } from './peer-state.ts';
import type { MoveReport, NodeReport, RingExamination } from './ring-examination.ts';

/** How long an examination waits for others, and for the goal, in ms: whoever is not heard by then is silent. */
const PATIENCE_MS = 2_000;
/** A clock that is off by more is told of, in ms. */
const CLOCK_SKEW_MS = 30_000;
/** Notes of one examination. */
const MOST_NOTES = 20;

export interface ExaminerParts {
  /** The ring as this process knows it. */
  readonly view: RingView;
  /** The node of this process; undefined in a front. */
  readonly own: Peer | undefined;
  readonly membership: Pick<Membership, 'readGoal' | 'levelOf' | 'nodes' | 'progress' | 'waiting'>;
  readonly transport: Pick<PeerTransport<unknown>, 'isUp'>;
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  /** What a process runs, this one too; undefined: it is not there now. */
  readonly releaseOf: (node: NodeId) => Release | undefined;
  readonly clock: Clock;
}

/** What came of asking a node. */
type Heard = PeerState | 'down' | 'silent' | 'older';

/** Asks all nodes of a cluster how they are. Those who ask at a time get one examination. */
export class Examiner {
  readonly #parts: ExaminerParts;
  #running: Promise<RingExamination> | undefined;

  constructor(parts: ExaminerParts) {
    this.#parts = parts;
  }

  examine(): Promise<RingExamination> {
    this.#running ??= this.#examine().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #examine(): Promise<RingExamination> {
    const { view, membership, releaseOf } = this.#parts;
    const goal = await this.#goal();
    // Afterwards: the goal that was read may name others.
    const nodes = [...new Set([...view.preferenceList(0), ...membership.nodes])];
    const heard = new Map(await Promise.all(nodes.map(async (id) => [id, await this.#ask(id)] as const)));
    return {
      nodes: [...heard].map(([id, state]) => ({ ...reportOf(id, state), release: releaseOf(id) })),
      partitions: view.configs,
      moves: typeof goal === 'string' ? [] : movesOf(view.configs, wantedBy(goal), heard),
      unknownGoal: typeof goal === 'string' ? goal : undefined,
      level: typeof goal === 'string' ? undefined : membership.levelOf(goal),
      notes: this.#notes(heard),
    };
  }

  /** @returns a line that says why it is not known, if it is not */
  #goal(): Promise<Goal | string> {
    const { membership, clock } = this.#parts;
    return new Promise((resolve) => {
      const timer = clock.after(PATIENCE_MS, () => resolve('the goal of the cluster could not be read in time'));
      const end = (found: Goal | string) => {
        clock.cancel(timer);
        resolve(found);
      };
      membership.readGoal().then(end, (error: Error) => end(error.message));
    });
  }

  async #ask(id: NodeId): Promise<Heard> {
    const { own, membership, transport, port, clock } = this.#parts;
    if (id === own?.id) return peerStateOf(own, membership.progress, clock.now());
    if (!transport.isUp(id)) return 'down';
    const outcome = await askPeer({ port, clock }, id, { request: { kind: 'state' }, withinMs: PATIENCE_MS });
    if (outcome.kind === 'not-sent') return outcome.reason === 'unsupported' ? 'older' : 'down';
    return outcome.kind === 'answered' && outcome.answer.kind === 'state' ? outcome.answer.state : 'silent';
  }

  #notes(heard: ReadonlyMap<NodeId, Heard>): readonly string[] {
    const { membership, clock } = this.#parts;
    const notes = membership.waiting.map(
      (name) => `a process waits to be ${name} on an empty disk: admin replace ${name}`,
    );
    for (const [id, state] of heard) {
      if (state === 'older') notes.push(`${nameOf(id)} runs a release that does not tell what it votes in`);
      if (typeof state === 'string') continue;
      const offMs = state.clockMs - clock.now();
      if (Math.abs(offMs) <= CLOCK_SKEW_MS) continue;
      const seconds = Math.round(Math.abs(offMs) / 1_000);
      notes.push(
        `the clock of ${nameOf(id)} is ${seconds} s ${offMs > 0 ? 'ahead of' : 'behind'} that of this process`,
      );
    }
    return notes.slice(0, MOST_NOTES);
  }
}

function reportOf(id: NodeId, state: Heard): Omit<NodeReport, 'release'> {
  if (state === 'down') return { id, state: 'stopped', votes: undefined, hints: 0, suspects: [] };
  // What such a release says of itself is that it is up.
  if (state === 'older') return { id, state: 'up', votes: undefined, hints: 0, suspects: [] };
  // A process that has just been taken in begins again with a node.
  if (state === 'silent' || state.votes === undefined) {
    return { id, state: 'silent', votes: undefined, hints: 0, suspects: [] };
  }
  const { votes, isPaused, hints, suspects } = state;
  return { id, state: isPaused ? 'paused' : 'up', votes, hints, suspects };
}

function movesOf(
  configs: readonly PartitionConfig[],
  wanted: WantedMembers,
  heard: ReadonlyMap<NodeId, Heard>,
): readonly MoveReport[] {
  const by = new Map<number, NodeId>();
  const problems = new Map<number, string>();
  for (const [id, state] of heard) {
    if (typeof state === 'string') continue;
    if (state.moving !== undefined) by.set(state.moving, id);
    for (const { partition, reason } of state.stuck) problems.set(partition, reason);
  }
  return configs.flatMap(({ partition, members }) => {
    const to = wanted.membersOf(partition).map(({ node }) => node);
    const isWanted = to.length === members.length && members.every(({ node }) => to.includes(node));
    return isWanted ? [] : [{ partition, to, by: by.get(partition), problem: problems.get(partition) }];
  });
}
