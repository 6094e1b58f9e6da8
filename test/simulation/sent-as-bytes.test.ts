import { describe, expect, test } from 'vitest';
import type { Codec } from '../../src/env/codec.ts';
import { MessageBytes } from './sent-as-bytes.ts';

interface Said {
  readonly kind: string;
  readonly what?: string | undefined;
}

const CODEC: Codec<Said> = {
  encode: (message) => Buffer.from(JSON.stringify(message)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
};

/** Loses what a message says. */
const FORGETFUL: Codec<Said> = { ...CODEC, encode: ({ kind }) => Buffer.from(JSON.stringify({ kind })) };

const HELLO = { kind: 'hello', what: 'world' };

describe('a message sent as bytes', () => {
  test('is another object for each delivery', () => {
    const take = new MessageBytes<Said>(true).send(CODEC, HELLO);
    const [first, second] = [take(), take()];
    expect(first).toEqual(HELLO);
    expect(second).toEqual(HELLO);
    expect(first).not.toBe(HELLO);
    expect(second).not.toBe(first);
  });

  test('may lack what was undefined', () => {
    expect(new MessageBytes<Said>(true).send(CODEC, { kind: 'hello', what: undefined })()).toEqual({ kind: 'hello' });
  });
});

describe('a codec that loses something is noticed', () => {
  test('at every message, if all are compared', () => {
    const sent = new MessageBytes<Said>(true);
    for (let count = 0; count < 20; count++) {
      expect(() => sent.send(FORGETFUL, HELLO)).toThrow('decodes to something else at /what');
    }
  });

  test('else at the first message of each kind, and again within eight', () => {
    const sent = new MessageBytes<Said>(false);
    for (let count = 0; count < 3; count++) sent.send(CODEC, { kind: 'other' });
    expect(() => sent.send(FORGETFUL, HELLO)).toThrow('/what');
    let noticed = 0;
    for (let count = 0; count < 80; count++) {
      try {
        sent.send(FORGETFUL, HELLO);
      } catch {
        noticed++;
      }
    }
    expect(noticed).toBe(10);
  });
});
