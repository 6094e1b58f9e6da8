import type { NodeId } from '../dynamo/ring.ts';
import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { Port } from '../env/peer-channel.ts';
import { askPeers, isNoted } from './ask-peers.ts';
import type { PeerAnswer, PeerRequest, RuleUse } from './peer-messages.ts';

/** For how long a change waits for others, in ms. Those that are cut off hear of it later. */
const PATIENCE_MS = 3_000;
/** For how long a process waits for those that it tells what it was told. */
const RELAY_MS = 2_000;
/** For how long others are waited for that are asked how often rules have fired. */
const COUNT_MS = 1_000;

/** What keeps the rules of this process. */
interface Keeper {
  readonly version: number;
  noteVersion(version: number, isNew: boolean): Promise<boolean>;
  readonly use: readonly RuleUse[];
}

interface RulesNewsParts {
  readonly self: NodeId;
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  /** The peers that may be there, fronts too. */
  readonly present: () => readonly NodeId[];
  /** The nodes that hold the ring, or shall: all others are fronts, which know nodes alone. */
  readonly members: () => readonly NodeId[];
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Tells other processes that there are newer fault rules, and hears that from them. Whoever hears it first tells it on:
 * a front knows nodes alone, and a process that has just been started again is not known to all yet.
 */
export class RulesNews {
  readonly #parts: RulesNewsParts;
  /** The newest version that was told, or told on, from here. */
  #told = 0;
  #keeper: Keeper | undefined;

  constructor(parts: RulesNewsParts) {
    this.#parts = parts;
  }

  /** @param keeper is told what others tell, and asked */
  listen(keeper: Keeper): void {
    this.#keeper = keeper;
  }

  /** The version of the rules in force here; undefined: they are not known yet. */
  get version(): number | undefined {
    return this.#keeper?.version;
  }

  /** Another process tells of new rules. @returns whether they are in force here, and at those that this process knows */
  async heard(from: NodeId, version: number, isNew: boolean): Promise<boolean> {
    // One that does not serve yet reads them before it does.
    const noted = this.#keeper?.noteVersion(version, isNew).catch((error: unknown) => {
      this.#parts.log.debug('the fault rules cannot be read', { error });
      return false;
    });
    const others = version > this.#told ? this.#parts.present().filter((peer) => peer !== from) : [];
    this.#told = Math.max(this.#told, version);
    const told = this.#tell(others, { kind: 'rules', version, isNew }, RELAY_MS);
    const [isInForce = true, silent] = await Promise.all([noted, told]);
    return isInForce && silent.length === 0;
  }

  /** A peer says, by the way, that it knows this version. */
  noteVersion(version: number | undefined): void {
    const known = this.version;
    if (version === undefined || known === undefined || version <= known) return;
    this.#keeper!.noteVersion(version, false).catch((error: unknown) => {
      this.#parts.log.debug('the fault rules cannot be read', { error });
    });
  }

  /** Tells all peers that are there; resolves when they go by this version, or after some seconds. */
  async tellVersion(version: number): Promise<void> {
    this.#told = Math.max(this.#told, version);
    const silent = await this.#tell(this.#parts.present(), { kind: 'rules', version, isNew: true }, PATIENCE_MS);
    if (silent.length > 0) this.#parts.log.warn('peers have not said that they go by the new fault rules', { silent });
  }

  /** What peers that are there say of the use of their rules. */
  useElsewhere(): Promise<readonly RuleUse[]> {
    return this.#askUse(this.#parts.present(), COUNT_MS);
  }

  /** What this process answers another one: a front does not know other fronts, so a node asks those. */
  async useFor(from: NodeId): Promise<readonly RuleUse[]> {
    const { self, members, present } = this.#parts;
    const own = (this.#keeper?.use ?? []).map((use) => ({ ...use, process: self }));
    const nodes = members();
    if (nodes.includes(from) || !nodes.includes(self)) return own;
    const fronts = present().filter((peer) => peer !== from && !nodes.includes(peer));
    return [...own, ...(await this.#askUse(fronts, COUNT_MS / 2))];
  }

  async #askUse(peers: readonly NodeId[], withinMs: number): Promise<readonly RuleUse[]> {
    // Several nodes may answer for one front.
    const uses = new Map<string, RuleUse>();
    await askPeers(this.#parts, peers, { request: { kind: 'rules-used' }, withinMs }, (answer, peer) => {
      if (answer.kind !== 'rules-used') return false;
      for (const use of answer.rules) {
        const process = use.process ?? peer;
        if (process !== this.#parts.self) uses.set(`${process} ${use.id}`, { ...use, process });
      }
      return true;
    });
    return [...uses.values()];
  }

  async #tell(peers: readonly NodeId[], request: PeerRequest, withinMs: number): Promise<readonly NodeId[]> {
    return (await askPeers(this.#parts, peers, { request, withinMs }, isNoted)).silent;
  }
}
