import type { NodeId } from '../dynamo/ring.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { FoundedCluster, PeerRecord } from '../env/peer-record.ts';
import {
  answerOf,
  bound,
  type FoundingAnswer,
  type FoundingRules,
  type FoundingStep,
  heard,
  leaderOf,
  leaderStep,
  SOUND_FOUNDING,
  waitingReason,
} from './founding.ts';
import { peerNodeId } from './node-name.ts';

/** The pause between two rounds of asking everybody. */
const ROUND_MS = 200;
/** Rounds after which a founder with no other founders takes it that nobody else is there. */
const LONELY_ROUNDS = 5;
/** How often the log says what is waited for, if that does not change. */
const REMIND_MS = 10_000;

/** What a disk is asked while a cluster is founded, or by a disk that looks for a cluster. */
export type FoundingRequest =
  /** What are you? `about`: the id of the cluster to which the asker is bound. */
  | { readonly kind: 'founding'; readonly about: string | undefined }
  /** Be bound to this cluster. */
  | { readonly kind: 'bind'; readonly cluster: FoundedCluster }
  /** This cluster exists. */
  | { readonly kind: 'commit'; readonly cluster: FoundedCluster };

export interface FounderParts {
  readonly disk: PeerRecord;
  /** Makes a record durable, within the call. @throws an error with a line for people, if the disk refuses it */
  readonly save: (disk: PeerRecord) => void;
  /** The nodes that can be asked now. */
  readonly peers: () => readonly NodeId[];
  /** `done` is called at most once; never if there is no answer. */
  readonly ask: (to: NodeId, request: FoundingRequest, done: (answer: FoundingAnswer) => void) => void;
  readonly newClusterId: () => string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once, with the record of a disk that knows its cluster: it is formed, or it has come without being named. */
  readonly onCluster: (disk: PeerRecord) => void;
  /** Called once, if an operator has to act. @param reason one line */
  readonly onStop: (reason: string) => void;
  /** For simulations; all hold by default. */
  readonly rules?: FoundingRules;
}

/**
 * Takes part in the founding of a cluster, or looks for one that exists, until this disk knows its cluster. Afterwards
 * it goes on answering those that still ask.
 */
export class Founder {
  readonly #parts: FounderParts;
  readonly #rules: FoundingRules;
  #disk: PeerRecord;
  /** What other disks have said since this one became what it is. */
  #answers = new Map<NodeId, FoundingAnswer>();
  /** The nodes that were asked to be bound since the last round began. */
  readonly #hasBeenBidden = new Set<NodeId>();
  #reason = '';
  #remindAtMs = 0;
  #lonelyRounds = 0;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(parts: FounderParts) {
    this.#parts = parts;
    this.#rules = parts.rules ?? SOUND_FOUNDING;
    this.#disk = parts.disk;
  }

  /** What this disk is now, durably. */
  get disk(): PeerRecord {
    return this.#disk;
  }

  /** What is waited for, one line for people. */
  get reason(): string {
    return this.#reason;
  }

  /** Begins. A disk that knows its cluster is done within the call. */
  start(): void {
    if (this.#finishIfKnown()) return;
    this.#round();
  }

  /** Asks nobody any more; `answer` may still be called. */
  stop(): void {
    this.#isOver = true;
    this.#parts.clock.cancel(this.#timer);
  }

  /**
   * Answers another disk, after what it asks for is durable here.
   *
   * @throws an error if this disk refuses to be written
   */
  answer(request: FoundingRequest): FoundingAnswer {
    if (request.kind === 'founding') return answerOf(this.#disk, request.about);
    if (request.kind === 'bind') this.#become(bound(this.#disk, request.cluster, this.#rules));
    else this.#become(heard(this.#disk, formedAnswer(request.cluster)));
    return answerOf(this.#disk);
  }

  #round(): void {
    const { clock, peers } = this.#parts;
    this.#timer = clock.after(ROUND_MS, () => this.#round());
    this.#hasBeenBidden.clear();
    const about = this.#disk.state === 'bound' ? this.#disk.cluster!.clusterId : undefined;
    const present = peers();
    for (const node of this.#answers.keys()) if (!present.includes(node)) this.#answers.delete(node);
    for (const node of present) this.#ask(node, { kind: 'founding', about });
    this.#lonelyRounds = present.length === 0 ? this.#lonelyRounds + 1 : 0;
    if (this.#lonelyRounds >= LONELY_ROUNDS) this.#attempt(() => this.#act());
  }

  #ask(node: NodeId, request: FoundingRequest): void {
    const asking = this.#disk;
    this.#parts.ask(node, request, (answer) => {
      // An answer to what this disk was before says nothing of what it is now.
      if (this.#isOver || this.#disk !== asking) return;
      // Nobody speaks for another disk.
      if (peerNodeId(answer.name, answer.diskId) !== node) return;
      this.#answers.set(node, answer);
      this.#attempt(() => {
        this.#become(heard(this.#disk, answer, this.#rules));
        this.#act();
      });
    });
  }

  /** Does what the founder that leads does next; another one waits. */
  #act(): void {
    if (this.#isOver) return;
    const { right, name } = this.#disk;
    if (right === undefined || leaderOf(right) !== name || (this.#disk.state === 'new' && this.#disk.cluster)) {
      return this.#wait(waitingReason(this.#disk, [...this.#answers.values()]));
    }
    this.#follow(leaderStep(this.#disk, [...this.#answers.values()], this.#parts.newClusterId, this.#rules));
  }

  #follow(step: FoundingStep): void {
    switch (step.kind) {
      case 'wait':
        return this.#wait(step.reason);
      case 'bind':
        this.#wait(step.reason);
        // Once a round: whoever refuses is not asked again at once.
        for (const node of step.to.filter((each) => !this.#hasBeenBidden.has(each))) {
          this.#hasBeenBidden.add(node);
          this.#ask(node, { kind: 'bind', cluster: this.#disk.cluster! });
        }
        return;
      case 'become':
        return this.#attempt(() => {
          this.#become(step.disk);
          this.#act();
        });
      case 'stop':
        this.stop();
        return this.#parts.onStop(step.reason);
    }
  }

  /** A disk that refuses a write stays what it was; the next round tries again. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#wait(error instanceof Error ? error.message : String(error));
    }
  }

  #become(disk: PeerRecord): void {
    if (disk === this.#disk) return;
    this.#parts.save(disk);
    this.#disk = disk;
    this.#answers = new Map();
    this.#finishIfKnown();
  }

  #finishIfKnown(): boolean {
    const { state, cluster } = this.#disk;
    if (cluster === undefined || state === 'bound') return false;
    if (this.#isOver) return true;
    this.stop();
    if (state === 'formed') {
      for (const node of this.#parts.peers()) this.#parts.ask(node, { kind: 'commit', cluster }, () => {});
    }
    this.#parts.onCluster(this.#disk);
    return true;
  }

  #wait(reason: string): void {
    const nowMs = this.#parts.clock.elapsedMs();
    if (reason === this.#reason && nowMs < this.#remindAtMs) return;
    this.#reason = reason;
    this.#remindAtMs = nowMs + REMIND_MS;
    this.#parts.log.info('no cluster yet', { node: this.#disk.name, reason });
  }
}

function formedAnswer(cluster: FoundedCluster): FoundingAnswer {
  const [{ name, diskId }] = cluster.members as [FoundedCluster['members'][number]];
  const { layout } = cluster;
  return { name, diskId, state: 'formed', layout, right: undefined, cluster, givenUp: undefined };
}
