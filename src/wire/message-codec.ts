import type { Codec } from '../env/codec.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { type KindCodecs, type Kinded, union } from './union.ts';
import { WireError } from './wire-error.ts';

/*
 * A message on the wire:
 *   u8 version | u8 kind | the fields of that kind, in a fixed order, without names | nothing more
 *
 * The rules by which it changes:
 * - Version and kind say which fields there are. A field is added, removed or moved only with a new version (or as a new kind);
 *   a reader takes no byte that it does not know: there are no unknown fields to skip.
 * - `WIRE_VERSION` is what this release writes and reads. One that raises it reads the version before as well, and writes that
 *   to a peer that knows no other: peers agree on a version when they connect.
 * - A new kind takes a number that was never used. Whoever gets an unknown kind refuses that message alone (`unknown-kind`), so
 *   the sender has to do without it. Numbers are in disjoint ranges, so that no answer can be taken for a request:
 *   requests to replicas from 1, their replies from 64, requests to coordinators from 128, their answers from 160.
 * - Every value has one form: what can be read, was written so.
 */
export const WIRE_VERSION = 1;

/** Encodes and decodes the messages of a union. */
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

/** One for all: a message is written in one go. */
const OUTPUT = new ByteWriter();
