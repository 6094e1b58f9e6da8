import { strict as assert } from 'node:assert';
import type { Codec } from '../../src/env/codec.ts';

/**
 * Sends the messages of one direction: in some histories as bytes, which are asserted to decode to the same message; in the
 * others as they are, because to encode and decode every message of each history took a third of their time. A codec that is
 * wrong is wrong in all histories, and messages are never written to: a history runs the same, event for event, either way.
 */
export class MessageBytes<Message extends { readonly kind: string }> {
  readonly #sendsBytes: boolean;

  constructor(sendsBytes: boolean) {
    this.#sendsBytes = sendsBytes;
  }

  /** @returns what each delivery takes: decoded anew if bytes are sent */
  send<M extends Message>(codec: Codec<M>, message: M): () => M {
    if (!this.#sendsBytes) return () => message;
    const bytes = codec.encode(message);
    let decoded: M | undefined = codec.decode(bytes);
    const difference = differenceOf(decoded, message);
    assert(difference === undefined, `what was encoded decodes to something else at ${difference || 'its root'}`);
    return () => {
      const taken = decoded ?? codec.decode(bytes);
      decoded = undefined;
      return taken;
    };
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
