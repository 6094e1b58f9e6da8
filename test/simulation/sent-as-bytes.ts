import { strict as assert } from 'node:assert';
import type { Codec } from '../../src/env/codec.ts';

/**
 * Encodes a message, and asserts that the bytes decode to the same message.
 * @returns a function that decodes the message anew for each delivery
 */
export function sentAsBytes<Message>(codec: Codec<Message>, message: Message): () => Message {
  const bytes = codec.encode(message);
  let decoded: Message | undefined = codec.decode(bytes);
  const difference = differenceOf(decoded, message);
  assert(difference === undefined, `what was encoded decodes to something else at ${difference || 'its root'}`);
  return () => {
    const taken = decoded ?? codec.decode(bytes);
    decoded = undefined;
    return taken;
  };
}

/**
 * Where two values of plain data differ, as a path of property names; undefined if they are equal. A property that is
 * undefined equals one that is absent. Called for every message of every history, so it has to be fast.
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
