import { drawDelayMs } from '../../api/delay-model.ts';
import { type Random, SeededRandom } from '../../env/random.ts';
import type { LagDelay, LagRule } from '../client.ts';
import type { NodeId } from '../ring.ts';

/** Rules whose place in their sequence a node remembers; the one used longest ago begins anew. */
const SEQUENCES_KEPT = 1_000;

/**
 * The delays that one node draws for the rules of lag. A rule that is not in force for a while, as during a repair,
 * goes on in its sequence afterwards.
 */
export class LagDelays {
  readonly #salt: number;
  /** By the rule's id and seed, in the order of last use. */
  readonly #sequences = new Map<string, Random>();

  /** @param node two nodes draw different sequences from one seed */
  constructor(node: NodeId) {
    this.#salt = saltOf(node);
  }

  /** How long the next record of a rule is held back, in ms. */
  next({ id }: LagRule, delay: LagDelay): number {
    if (delay.kind === 'constant') return delay.delayMs;
    const random = this.#sequence(`${delay.seed} ${id}`, delay.seed);
    return drawDelayMs(delay.distribution, () => random.next());
  }

  #sequence(label: string, seed: number): Random {
    const random = this.#sequences.get(label) ?? new SeededRandom(seed ^ this.#salt);
    this.#sequences.delete(label);
    if (this.#sequences.size >= SEQUENCES_KEPT) this.#sequences.delete(this.#sequences.keys().next().value!);
    this.#sequences.set(label, random);
    return random;
  }
}

/**
 * 32 bits that differ between the nodes of a ring, and are the same in every run. A node with a process of its own is
 * called `name.disk`: the disk is another one in each new cluster.
 */
function saltOf(node: NodeId): number {
  let salt = 0;
  for (const letter of node.split('.')[0]!) salt = Math.imul(salt ^ letter.codePointAt(0)!, 0x9e3779b1);
  return salt;
}
