import { strict as assert } from 'node:assert';
import type { Codec } from '../../src/env/codec.ts';

/**
 * Encodes a message, and makes certain that the bytes say all of it.
 * @returns gives what was decoded from the bytes, for each delivery anew
 */
export function sentAsBytes<Message>(codec: Codec<Message>, message: Message): () => Message {
  const bytes = codec.encode(message);
  let decoded: Message | undefined = codec.decode(bytes);
  const difference = differenceOf(decoded, message);
  assert(difference === undefined, `what was encoded decodes to something else: ${difference}`);
  return () => {
    const taken = decoded ?? codec.decode(bytes);
    decoded = undefined;
    return taken;
  };
}

/**
 * Where two values of plain data differ, as a path of property names; undefined if they do not. A property that is undefined
 * is one that is not there. Quick: it is asked for every message of every history.
 */
function differenceOf(one: unknown, other: unknown, at = ''): string | undefined {
  if (Object.is(one, other)) return undefined;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return at || 'all of it';
  if (one instanceof Map) {
    return differenceOf([...one], other instanceof Map ? [...other] : undefined, at);
  }
  if (one instanceof Uint8Array) {
    return other instanceof Uint8Array && Buffer.compare(one, other) === 0 ? undefined : at || 'all of it';
  }
  const left = one as Record<string, unknown>;
  const right = other as Record<string, unknown>;
  for (const name in left) {
    const difference = differenceOf(left[name], right[name], `${at}/${name}`);
    if (difference !== undefined) return difference;
  }
  for (const name in right) if (right[name] !== undefined && left[name] === undefined) return `${at}/${name}`;
  return undefined;
}
