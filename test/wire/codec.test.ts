import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Condition } from '../../src/api/expression/ast.ts';
import type { CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import type { Codec } from '../../src/env/codec.ts';
import { answerCodec, COORDINATION_REQUEST_CODEC } from '../../src/wire/coordination-codec.ts';
import { WIRE_VERSION } from '../../src/wire/message-codec.ts';
import { REPLY_CODEC } from '../../src/wire/reply-codec.ts';
import { REQUEST_CODEC } from '../../src/wire/request-codec.ts';
import { WireError } from '../../src/wire/wire-error.ts';
import { ANSWERS, COORDINATION_REQUESTS, REPLIES, REQUESTS } from './arbitrary-messages.ts';

interface Case {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly messages: Arbitrary<unknown>;
}

function casesOf<M>(room: string, codec: Codec<M>, byKind: object): Case[] {
  return Object.entries<Arbitrary<unknown>>(byKind as Record<string, Arbitrary<unknown>>).map(([kind, messages]) => ({
    name: `${room} ${kind}`,
    codec: codec as Codec<unknown>,
    messages,
  }));
}

const CASES: readonly Case[] = [
  ...casesOf('request', REQUEST_CODEC, REQUESTS),
  ...casesOf('reply', REPLY_CODEC, REPLIES),
  ...casesOf('request', COORDINATION_REQUEST_CODEC, COORDINATION_REQUESTS),
  ...Object.entries(ANSWERS).map(([kind, messages]) => ({
    name: `answer to ${kind}`,
    codec: answerCodec(kind as CoordinationRequest['kind']) as Codec<unknown>,
    messages,
  })),
];

/** What the bytes are read as, or the error. Anything but a `WireError` is thrown. */
function decoded<M>(codec: Codec<M>, bytes: Uint8Array): { readonly message: M } | { readonly error: WireError } {
  try {
    return { message: codec.decode(bytes) };
  } catch (error) {
    if (error instanceof WireError) return { error };
    throw error;
  }
}

const reasonOf = (codec: Codec<unknown>, bytes: Uint8Array) => {
  const result = decoded(codec, bytes);
  return 'error' in result ? result.error.reason : 'none';
};

describe.each(CASES)('$name', ({ codec, messages }) => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(codec.decode(codec.encode(message))).toEqual(message);
      }),
    );
  });

  test('shares no memory with what it was read from', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const bytes = codec.encode(message);
        const read = codec.decode(bytes);
        bytes.fill(0xff);
        expect(read).toEqual(message);
      }),
      { numRuns: 20 },
    );
  });

  test('is refused when it is cut short, or goes on', () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, cut) => {
        const bytes = codec.encode(message);
        expect(reasonOf(codec, bytes.subarray(0, cut % bytes.length))).not.toBe('none');
        expect(reasonOf(codec, Buffer.concat([bytes, Buffer.from([cut % 256])]))).toBe('trailing');
      }),
    );
  });

  test('with other bytes in it is refused, or is a message that can be written', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(messages, changes, (message, changed) => {
        const bytes = codec.encode(message);
        for (const [at, byte] of changed) bytes[at % bytes.length] = byte;
        const result = decoded(codec, bytes);
        if ('message' in result) expect(codec.decode(codec.encode(result.message))).toEqual(result.message);
      }),
    );
  });
});

describe('bytes that nobody has written', () => {
  const codecs: readonly Codec<unknown>[] = [
    REQUEST_CODEC,
    REPLY_CODEC,
    COORDINATION_REQUEST_CODEC,
    answerCodec('coordinate-write'),
  ] as readonly Codec<unknown>[];

  test('are refused, or are a message that can be written', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      // So that most are of a kind.
      fc
        .tuple(fc.nat(255), fc.uint8Array({ maxLength: 300 }))
        .map(([kind, rest]) => Buffer.from([WIRE_VERSION, kind, ...rest])),
    );
    fc.assert(
      fc.property(garbage, (bytes) => {
        for (const codec of codecs) {
          const result = decoded(codec, bytes);
          if ('message' in result) expect(codec.decode(codec.encode(result.message))).toEqual(result.message);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('of another version or kind are told apart from what is broken', () => {
    expect(reasonOf(REQUEST_CODEC, Buffer.from([WIRE_VERSION + 1, 20]))).toBe('unknown-version');
    expect(reasonOf(REQUEST_CODEC, Buffer.from([WIRE_VERSION, 63]))).toBe('unknown-kind');
    expect(reasonOf(REQUEST_CODEC, Buffer.from([]))).toBe('truncated');
    expect(reasonOf(REQUEST_CODEC, Buffer.from([WIRE_VERSION, 20, 0]))).toBe('trailing');
    expect(reasonOf(REQUEST_CODEC, Buffer.from([WIRE_VERSION, 15, 0x80, 0x00, 0]))).toBe('malformed');
  });

  test('of an answer are no request, and the other way round', () => {
    expect(reasonOf(REQUEST_CODEC, REPLY_CODEC.encode({ kind: 'pong', from: 'node-1' }))).toBe('unknown-kind');
    expect(reasonOf(REPLY_CODEC, REQUEST_CODEC.encode({ kind: 'ping' }))).toBe('unknown-kind');
  });

  test('of an answer that its request cannot have are refused', () => {
    const bytes = answerCodec('coordinate-read').encode({ kind: 'none' });
    expect(reasonOf(answerCodec('coordinate-write') as Codec<unknown>, bytes)).toBe('malformed');
  });

  test('of a write that no record has room for are refused', () => {
    const request = {
      kind: 'coordinate-write',
      requestId: undefined,
      key: 'k',
      partitionKey: 'k',
      mutation: { kind: 'put', item: { size: 1, json: Buffer.from('{}') }, condition: undefined },
      consistency: 'strict',
      wantsOld: false,
      derivation: undefined,
      by: undefined,
      carried: undefined,
    } as const;
    const reason = (changes: object) => {
      const bytes = COORDINATION_REQUEST_CODEC.encode({ ...request, ...changes });
      return reasonOf(COORDINATION_REQUEST_CODEC as Codec<unknown>, bytes);
    };
    const ofSize = (size: number) => ({ mutation: { ...request.mutation, item: { size, json: Buffer.from('{}') } } });
    const ofBoot = (boot: number) => ({
      carried: { kind: 'round', operation: { coordinator: 1, boot, sequence: 1 }, attempts: new Map() },
    });
    expect(reason(ofSize(2 ** 32 - 1))).toBe('none');
    expect(reason(ofSize(2 ** 32))).toBe('malformed');
    expect(reason(ofBoot(2 ** 32 - 1))).toBe('none');
    expect(reason(ofBoot(2 ** 32))).toBe('malformed');
    expect(reason({ partitionKey: 'k'.repeat(65_535) })).toBe('none');
    expect(reason({ partitionKey: 'k'.repeat(65_536) })).toBe('malformed');
  });

  test('of a fetch of no key are refused: such a fetch names no partition', () => {
    const bytes = REQUEST_CODEC.encode({ kind: 'fetch', epoch: 1, keys: [] });
    expect(reasonOf(REQUEST_CODEC as Codec<unknown>, bytes)).toBe('malformed');
  });

  test('that claim a huge number of parts are refused before room is made for them', () => {
    const count = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
    const { heapUsed } = process.memoryUsage();
    for (const number of [11, 14, 19]) {
      const zeros = number === 19 ? [] : number === 14 ? [0, 0] : [0];
      expect(reasonOf(REQUEST_CODEC, Buffer.from([WIRE_VERSION, number, ...zeros, ...count]))).toBe('truncated');
    }
    expect(reasonOf(REQUEST_CODEC, Buffer.from([WIRE_VERSION, 5, 0, ...count]))).toBe('truncated');
    expect(process.memoryUsage().heapUsed - heapUsed).toBeLessThan(1024 * 1024);
  });
});

describe('a condition', () => {
  const nested = (levels: number): CoordinationRequest => {
    let condition: Condition = { kind: 'exists', path: ['a'] };
    for (let i = 0; i < levels; i++) condition = { kind: 'not', condition };
    const mutation = { kind: 'delete', condition } as const;
    return {
      kind: 'coordinate-write',
      requestId: undefined,
      key: 'k',
      partitionKey: 'k',
      mutation,
      consistency: 'strict',
      wantsOld: false,
      derivation: undefined,
      by: undefined,
      carried: undefined,
    };
  };

  test('of as many operators as a client may send, each in the one before, is read as it was written', () => {
    const request = nested(300);
    expect(COORDINATION_REQUEST_CODEC.decode(COORDINATION_REQUEST_CODEC.encode(request))).toEqual(request);
  });

  test('of more levels is neither written nor read', () => {
    expect(() => COORDINATION_REQUEST_CODEC.encode(nested(501))).toThrow('nested too deeply');
    const bytes = Buffer.from(COORDINATION_REQUEST_CODEC.encode(nested(1)));
    // Version, kind, no request id, two keys of a byte, a delete, with a condition: then `not` after `not`.
    const deep = Buffer.concat([bytes.subarray(0, 9), Buffer.alloc(1_000_000, 6)]);
    expect(bytes[9]).toBe(6);
    expect(reasonOf(COORDINATION_REQUEST_CODEC as Codec<unknown>, deep)).toBe('malformed');
    // What failed leaves nothing behind.
    expect(COORDINATION_REQUEST_CODEC.encode(nested(1))).toEqual(bytes);
  });
});
