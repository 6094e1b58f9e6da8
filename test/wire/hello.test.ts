import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PeerHello } from '../../src/dynamo/peer-hello.ts';
import { DEFAULT_PEER_LIMITS } from '../../src/env/peer-limits.ts';
import { HELLO_CODEC, peerGreeting, protocolOf } from '../../src/wire/hello.ts';
import { WireError } from '../../src/wire/wire-error.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 });
const HELLOS: fc.Arbitrary<PeerHello> = fc.record({
  protocolMin: fc.nat(),
  protocolMax: fc.nat(),
  clusterId: fc.option(text, { nil: undefined }),
  foundersHash: fc.option(text, { nil: undefined }),
  name: text,
  node: text,
  diskId: fc.nat({ max: 2 ** 48 - 1 }),
  boot: fc.nat(),
  instance: text,
  role: fc.constantFrom('member', 'front'),
  layout: text,
  clockMs: fc.double({ noNaN: true }),
  build: text,
});

const HELLO: PeerHello = {
  protocolMin: 1,
  protocolMax: 1,
  clusterId: undefined,
  foundersHash: undefined,
  name: 'a',
  node: 'a.000000000001',
  diskId: 1,
  boot: 1,
  instance: 'i',
  role: 'member',
  layout: '',
  clockMs: 0,
  build: '0.1.0',
};

/** Where the number of properties is. */
const COUNT_AT = 8;

describe('a hello', () => {
  test('is read as it was written, and fits into what a stranger may send', () => {
    fc.assert(
      fc.property(HELLOS, (hello) => {
        const bytes = HELLO_CODEC.encode(hello);
        expect(HELLO_CODEC.decode(bytes)).toEqual(hello);
        expect(bytes.length).toBeLessThan(DEFAULT_PEER_LIMITS.helloBytes);
      }),
    );
  });

  test('of a newer release is read without the properties that it has in addition', () => {
    const bytes = Buffer.from(HELLO_CODEC.encode(HELLO));
    bytes[COUNT_AT]!++;
    const newer = Buffer.concat([bytes, Buffer.from([63, 2, 7, 7])]);
    expect(HELLO_CODEC.decode(newer)).toEqual(HELLO);
  });

  test('with a property twice, or without one, is refused', () => {
    const bytes = Buffer.from(HELLO_CODEC.encode(HELLO));
    const fewer = Buffer.from(bytes.subarray(0, bytes.length - 2 - 1 - HELLO.build.length));
    fewer[COUNT_AT]!--;
    expect(() => HELLO_CODEC.decode(fewer)).toThrow('a hello without build');
    bytes[COUNT_AT]!++;
    const last = bytes.subarray(fewer.length);
    expect(() => HELLO_CODEC.decode(Buffer.concat([bytes, last]))).toThrow('a property twice');
  });

  test('that is garbage is refused, whatever it is', () => {
    const bytes = HELLO_CODEC.encode(HELLO);
    const arbitrary = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((rest) => Buffer.concat([bytes.subarray(0, COUNT_AT), rest])),
      fc.nat({ max: bytes.length - 1 }).map((length) => bytes.subarray(0, length)),
    );
    fc.assert(
      fc.property(arbitrary, (garbage) => {
        expect(() => HELLO_CODEC.decode(garbage)).toThrow(WireError);
      }),
    );
  });
});

test('two releases speak the highest version that both know', () => {
  const between = (protocolMin: number, protocolMax: number) => ({ protocolMin, protocolMax });
  expect(protocolOf(between(1, 2), between(2, 3))).toBe(2);
  expect(protocolOf(between(2, 3), between(1, 2))).toBe(2);
  expect(protocolOf(between(1, 1), between(1, 5))).toBe(1);
  expect(protocolOf(between(1, 2), between(3, 4))).toBeUndefined();
  expect(protocolOf(between(3, 4), between(1, 2))).toBeUndefined();
});

test('a peer without a version in common is refused before anything else is asked', () => {
  const asked: string[] = [];
  const greeting = peerGreeting(
    () => HELLO,
    ({ name }) => {
      asked.push(name);
      return name === 'stranger' ? { code: 'other-cluster', line: '' } : undefined;
    },
  );
  expect(greeting.admit({ ...HELLO, name: 'b' })).toBeUndefined();
  expect(greeting.admit({ ...HELLO, name: 'stranger' })).toMatchObject({ code: 'other-cluster' });
  expect(greeting.admit({ ...HELLO, name: 'newer', protocolMin: 2, protocolMax: 3 })).toMatchObject({
    code: 'protocol',
  });
  expect(asked).toEqual(['b', 'stranger']);
});
