import type { Codec } from '../env/codec.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { type KindCodecs, type Kinded, union } from './union.ts';
import { WireError } from './wire-error.ts';

/*
 * The format of a message:
 *   u8 version | u8 kind | the fields of that kind, in a fixed order, without names | end
 *
 * How the format may change:
 * - Version and kind determine the fields. To add, remove or move a field takes a new version, or a new kind. There are no
 *   unknown fields to skip: a reader refuses bytes that it does not expect.
 * - A release writes `WIRE_VERSION`. A release that raises it still reads the version before, and writes that version to a peer
 *   that knows no newer one: peers agree on a version when they connect.
 * - A new kind takes a number that was never used. A receiver that does not know a kind refuses that message alone
 *   (`unknown-kind`) and keeps the connection. The numbers are in disjoint ranges, so that a reply is never taken for a request:
 *   requests to replicas from 1, replies from 64, requests to coordinators from 128, answers of coordinators from 160.
 * - Numbers, texts and flags have one form each. A reader refuses every other form.
 *
 * The codec sets no limit to the length of a message: the transport does, before it reads one into memory.
 */
export const WIRE_VERSION = 1;

/** The codec of a union of messages. @param kinds how each kind is written and read */
export function messageCodec<M extends Kinded>(kinds: KindCodecs<M>): Codec<M> {
  const message = union(kinds);
  return {
    encode(value) {
      try {
        OUTPUT.byte(WIRE_VERSION);
        message.write(OUTPUT, value);
        return OUTPUT.take();
      } finally {
        OUTPUT.clear();
      }
    },
    decode(bytes) {
      const input = new ByteReader(bytes);
      const version = input.byte();
      if (version !== WIRE_VERSION) throw new WireError('unknown-version', String(version));
      const value = message.read(input);
      input.end();
      return value;
    },
  };
}

/** Shared by all codecs. No message is begun before the one before it is finished. */
const OUTPUT = new ByteWriter();
