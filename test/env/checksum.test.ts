import { describe, expect, test } from 'vitest';
import { seal, spoil, unseal } from '../../src/env/checksum.ts';
import { DAMAGED } from '../../src/env/store.ts';

const KEY = '\x00\x07table-01\xff\x80key';
const VALUE = Buffer.from('a value of some bytes');

describe('a sealed value', () => {
  test('is found as it was written, whatever its size', () => {
    for (const size of [0, 1, 3, 4, 5, 500, 70_000]) {
      const value = Buffer.alloc(size, size);
      expect(Buffer.compare(unseal('items', KEY, seal('items', KEY, value)), value), `${size}`).toBe(0);
    }
  });

  test('is damaged when any bit of it is another, the checksum included', () => {
    for (let bit = 0; bit < seal('items', KEY, VALUE).length * 8; bit++) {
      const sealed = seal('items', KEY, VALUE);
      sealed[bit >> 3]! ^= 1 << (bit & 7);
      expect(unseal('items', KEY, sealed), `bit ${bit}`).toBe(DAMAGED);
    }
  });

  test('is damaged where it does not belong: under another key, or in another store', () => {
    const sealed = seal('items', KEY, VALUE);
    expect(unseal('items', `${KEY}x`, sealed)).toBe(DAMAGED);
    expect(unseal('items', KEY.replace('key', 'kex'), sealed)).toBe(DAMAGED);
    expect(unseal('paxos', KEY, sealed)).toBe(DAMAGED);
  });

  test('is damaged when it was cut short, to nothing too, and when it was spoiled', () => {
    const sealed = seal('items', KEY, VALUE);
    for (let length = 0; length < sealed.length; length++) {
      expect(unseal('items', KEY, sealed.subarray(0, length)), `${length}`).toBe(DAMAGED);
    }
    expect(unseal('items', KEY, spoil(sealed))).toBe(DAMAGED);
  });
});
