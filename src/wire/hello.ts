import type { PeerHello } from '../dynamo/peer-hello.ts';
import type { Codec } from '../env/codec.ts';
import type { Greeting, Refusal } from '../env/peer-channel.ts';
import { ByteReader, malformed } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { double, type Field, oneOf, optional, text, uint, uint48 } from './field.ts';
import { WIRE_VERSION } from './message-codec.ts';

/*
 * The format of a hello, which all releases read:
 *   "dynaring" | count | count times: number of the property, length, value
 *
 * Unlike other messages, it is read before anybody knows the release of the other side. A property is never removed, and
 * never gets another meaning; a new one takes the next number, may be missing, and is skipped by who does not know it.
 */

/** What the bytes of a hello begin with, so that whatever else dials this port is told apart at once. */
const MAGIC = Buffer.from('dynaring');
/** More than this no release has. */
const MOST_PROPERTIES = 64;

/** The versions of messages that this release speaks: its own, and the one before if there is one. */
export const PROTOCOL = { protocolMin: WIRE_VERSION, protocolMax: WIRE_VERSION } as const;

interface Property {
  readonly name: keyof PeerHello;
  readonly field: Field<unknown>;
}

const PROPERTIES: readonly Property[] = [
  property('protocolMin', uint),
  property('protocolMax', uint),
  property('clusterId', optional(text)),
  property('foundersHash', optional(text)),
  property('name', text),
  property('node', text),
  property('diskId', uint48),
  property('boot', uint),
  property('instance', text),
  property('role', oneOf({ member: 0, front: 1 })),
  property('layout', text),
  property('clockMs', double),
  property('build', text),
];

export const HELLO_CODEC: Codec<PeerHello> = {
  encode(hello) {
    const output = new ByteWriter();
    const value = new ByteWriter();
    for (const byte of MAGIC) output.byte(byte);
    output.uint(PROPERTIES.length);
    for (const [number, { name, field }] of PROPERTIES.entries()) {
      field.write(value, hello[name]);
      output.uint(number);
      output.bytes(value.take());
    }
    return output.take();
  },
  decode(bytes) {
    const input = new ByteReader(bytes);
    for (const byte of MAGIC) if (input.byte() !== byte) throw malformed('a hello');
    const hello: Partial<Record<keyof PeerHello, unknown>> = {};
    const count = input.uint(MOST_PROPERTIES);
    for (let left = count; left > 0; left--) {
      const known = PROPERTIES[input.uint()];
      const value = new ByteReader(input.bytes());
      if (known === undefined) continue;
      if (known.name in hello) throw malformed('a property twice');
      hello[known.name] = known.field.read(value);
      value.end();
    }
    input.end();
    for (const { name } of PROPERTIES) if (!(name in hello)) throw malformed(`a hello without ${name}`);
    return hello as unknown as PeerHello;
  },
};

/**
 * The version in which two peers speak: the highest that both know.
 * @returns undefined if there is none
 */
export function protocolOf(one: Versions, other: Versions): number | undefined {
  const highest = Math.min(one.protocolMax, other.protocolMax);
  return highest >= one.protocolMin && highest >= other.protocolMin ? highest : undefined;
}

/**
 * How peers greet each other: those that have no version in common do not talk.
 *
 * @param mine what this peer says of itself, with `PROTOCOL`
 * @param admit why another peer is not let in, apart from its version
 */
export function peerGreeting(
  mine: () => PeerHello,
  admit: (hello: PeerHello) => Refusal | undefined,
): Greeting<PeerHello> {
  return {
    codec: HELLO_CODEC,
    mine,
    peerOf: (hello) => hello.node,
    nameOf: (hello) => hello.name,
    admit(hello) {
      const own = mine();
      if (protocolOf(own, hello) !== undefined) return admit(hello);
      return { code: 'protocol', line: `${own.build} and ${hello.build} have no version of the protocol in common` };
    },
  };
}

type Versions = Pick<PeerHello, 'protocolMin' | 'protocolMax'>;

function property<Name extends keyof PeerHello>(name: Name, field: Field<PeerHello[Name]>): Property {
  return { name, field: field as Field<unknown> };
}
