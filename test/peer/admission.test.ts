import { describe, expect, test } from 'vitest';
import type { PeerHello } from '../../src/dynamo/peer-hello.ts';
import { AddressBook, type AddressEntry } from '../../src/peer/address-book.ts';
import { type Acquaintance, refusalOf } from '../../src/peer/admission.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';

function hello(name: string, changes: Partial<PeerHello> = {}): PeerHello {
  const diskId = changes.diskId ?? name.charCodeAt(0);
  return {
    protocolMin: 1,
    protocolMax: 1,
    clusterId: 'one',
    foundersHash: undefined,
    name,
    node: peerNodeId(name, diskId),
    diskId,
    boot: 3,
    instance: `process of ${name}`,
    role: 'member',
    layout: 'Q=64 N=3',
    clockMs: 1_000_000,
    build: '1',
    ...changes,
  };
}

const entry = (changes: Partial<AddressEntry> = {}): AddressEntry => ({
  node: hello('b').node,
  boot: 3,
  instance: 'process of b',
  seq: 1,
  addresses: [{ host: 'h', port: 1 }],
  ...changes,
});

describe('a peer', () => {
  const codeOf = (theirs: PeerHello, mine = hello('a'), last?: AddressEntry, more: Partial<Acquaintance> = {}) =>
    refusalOf(theirs, mine, { last, connected: undefined, isSettled: false, ...more })?.code;

  test('of the same cluster is let in, and so is one of no cluster yet', () => {
    expect(codeOf(hello('b'))).toBeUndefined();
    expect(codeOf(hello('b', { clusterId: undefined, layout: '' }))).toBeUndefined();
    expect(codeOf(hello('b'), hello('a', { clusterId: undefined, layout: '' }))).toBeUndefined();
    expect(codeOf(hello('b', { boot: 4, instance: 'the next' }), hello('a'), entry())).toBeUndefined();
  });

  test('of another cluster, or with other partitions, is refused', () => {
    expect(codeOf(hello('b', { clusterId: 'two' }))).toBe('other-cluster');
    expect(codeOf(hello('b', { layout: 'Q=32 N=3' }))).toBe('other-layout');
  });

  test('whose disk is an old copy of itself is refused', () => {
    expect(codeOf(hello('b', { boot: 2, instance: 'the one before' }), hello('a'), entry())).toBe('old-disk');
  });

  test('that runs on a copied disk is refused: the one that came later, and one on a copy of our own', () => {
    expect(codeOf(hello('b', { instance: 'another' }), hello('a'), entry())).toBe('copied-disk');
    expect(codeOf(hello('a', { instance: 'another' }))).toBe('same-disk');
  });

  test('that calls while an earlier process on its disk is connected is not let in, and not ended either', () => {
    const connected = { boot: 3, instance: 'process of b' };
    const next = hello('b', { boot: 4, instance: 'next' });
    expect(codeOf(next, hello('a'), entry(), { connected })).toBe('disk-in-use');
    expect(codeOf(hello('b'), hello('a'), entry(), { connected })).toBeUndefined();
    expect(codeOf(next, hello('a'), entry())).toBeUndefined();
    // These are known to be copies.
    expect(codeOf(hello('b', { instance: 'other' }), hello('a'), entry(), { connected })).toBe('copied-disk');
    expect(codeOf(hello('b', { boot: 2, instance: 'old' }), hello('a'), entry(), { connected })).toBe('old-disk');
  });

  test('that runs on a copy of our own disk is ended by us once others have let us in, whatever its start is', () => {
    for (const boot of [2, 3, 4]) {
      const copy = hello('a', { boot, instance: 'another' });
      expect(codeOf(copy, hello('a'), undefined, { isSettled: true })).toBe('copied-disk');
      expect(codeOf(copy, hello('a'), undefined, { isSettled: false })).toBe('same-disk');
    }
  });

  test('whose id does not fit its name is refused', () => {
    expect(codeOf(hello('b', { node: hello('c').node }))).toBe('wrong-name');
    expect(codeOf(hello('b/../c'))).toBe('wrong-name');
  });

  test('whose clock is off by more than 30 s may not join, but may stay', () => {
    const clockMs = 1_000_000 + 31_000;
    expect(codeOf(hello('b', { clockMs, clusterId: undefined }))).toBe('clock');
    expect(codeOf(hello('b', { clockMs }), hello('a', { clusterId: undefined }))).toBe('clock');
    expect(codeOf(hello('b', { clockMs }))).toBeUndefined();
    expect(codeOf(hello('b', { clockMs: 1_000_000 - 29_000, clusterId: undefined }))).toBeUndefined();
  });
});

describe('an address book', () => {
  const bookOf = (known: readonly AddressEntry[] = [], kept: readonly string[] = []) => {
    let changes = 0;
    const book = new AddressBook(
      known,
      (node) => kept.includes(node),
      () => changes++,
    );
    return { book, changes: () => changes };
  };

  test('takes what is newer by start and count, and nothing else', () => {
    const { book, changes } = bookOf([entry()]);
    const { node } = entry();
    expect(book.learn(entry({ addresses: [] }))).toBe(false);
    expect(book.learn(entry({ boot: 2, seq: 9 }))).toBe(false);
    expect(book.learn(entry({ seq: 2, addresses: [{ host: 'h', port: 2 }] }))).toBe(true);
    expect(book.learn(entry({ boot: 4, instance: 'next', seq: 0, addresses: [{ host: 'h', port: 3 }] }))).toBe(true);
    expect(book.addressesOf(node)).toEqual([{ host: 'h', port: 3 }]);
    expect(changes()).toBe(2);
  });

  test('of two processes with one start keeps the one that it heard of first', () => {
    const { book } = bookOf([entry()]);
    expect(book.learn(entry({ instance: 'another', seq: 9 }))).toBe(false);
    expect(book.entryOf(entry().node)!.instance).toBe('process of b');
  });

  test('keeps the addresses from before a start, until the node tells new ones', () => {
    const { book } = bookOf([entry()]);
    book.noteStart(entry().node, 4, 'next');
    expect(book.entryOf(entry().node)).toMatchObject({ boot: 4, seq: 0, addresses: entry().addresses });
  });

  test('forgets the oldest of a thousand, but no member', () => {
    const { book } = bookOf([entry()], [entry().node]);
    for (let diskId = 1; diskId <= 2_000; diskId++) book.noteStart(peerNodeId('front', diskId), 1, 'x');
    expect(book.entries.length).toBe(1_000);
    expect(book.entryOf(entry().node)).toBeDefined();
    expect(book.entryOf(peerNodeId('front', 2_000))).toBeDefined();
    expect(book.entryOf(peerNodeId('front', 1))).toBeUndefined();
  });
});
