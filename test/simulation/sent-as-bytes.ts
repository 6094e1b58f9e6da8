import { strict as assert } from 'node:assert';
import type { Codec } from '../../src/env/codec.ts';

/** Of so many messages, one is compared with what its bytes decode to. */
const COMPARED_ONE_IN = 8;

/**
 * Sends messages of one direction as bytes, and asserts of some that the bytes decode to the same message: of the first of
 * each kind and of one in eight, or of all. A codec that is wrong is wrong in all histories; to compare every message of each
 * took a tenth of their time.
 */
export class MessageBytes<Message extends { readonly kind: string }> {
  readonly #comparesAll: boolean;
  readonly #seen = new Set<string>();
  #count = 0;

  constructor(comparesAll: boolean) {
    this.#comparesAll = comparesAll;
  }

  /**
   * Encodes a message.
   * @returns a function that decodes the message anew for each delivery
   */
  send<M extends Message>(codec: Codec<M>, message: M): () => M {
    const bytes = codec.encode(message);
    if (!this.#isCompared(message.kind)) return () => codec.decode(bytes);
    let decoded: M | undefined = codec.decode(bytes);
    const difference = differenceOf(decoded, message);
    assert(difference === undefined, `what was encoded decodes to something else at ${difference || 'its root'}`);
    return () => {
      const taken = decoded ?? codec.decode(bytes);
      decoded = undefined;
      return taken;
    };
  }

  /** By count, and not by chance: the same messages in each run of a history. */
  #isCompared(kind: string): boolean {
    if (this.#comparesAll || this.#count++ % COMPARED_ONE_IN === 0) return true;
    if (this.#seen.has(kind)) return false;
    this.#seen.add(kind);
    return true;
  }
}

/**
 * Where two values of plain data differ, as a path of property names; undefined if they are equal. A property that is
 * undefined equals one that is absent.
 */
function differenceOf(one: unknown, other: unknown): string | undefined {
  if (one === other || Object.is(one, other)) return undefined;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return '';
  if (one instanceof Uint8Array)
    return other instanceof Uint8Array && Buffer.compare(one, other) === 0 ? undefined : '';
  if (one instanceof Map) return differenceOf([...one], other instanceof Map ? [...other] : undefined);
  const left = one as Record<string, unknown>;
  const right = other as Record<string, unknown>;
  for (const name in left) {
    const difference = differenceOf(left[name], right[name]);
    if (difference !== undefined) return `/${name}${difference}`;
  }
  for (const name in right) if (right[name] !== undefined && left[name] === undefined) return `/${name}`;
  return undefined;
}
