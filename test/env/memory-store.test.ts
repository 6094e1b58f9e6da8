import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../src/env/memory-store.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

/** A store whose flushes complete when the test says so. */
function withSlowDisk() {
  const completions: (() => void)[] = [];
  const store = new MemoryStore({ flushAfter: (complete) => completions.push(complete) });
  const read = (key: string) => store.get('items', key)?.toString();
  return { store, completions, read };
}

describe('a crash', () => {
  test('undoes what no completed flush covers, and drops the flushes under way', () => {
    const { store, completions, read } = withSlowDisk();
    const flushed: string[] = [];
    store.put('items', 'a', bytes('one'));
    store.put('items', 'b', bytes('one'));
    store.flush(() => flushed.push('first'));
    completions[0]!();
    store.put('items', 'a', bytes('two'));
    store.remove('items', 'b');
    store.put('items', 'c', bytes('two'));
    store.flush(() => flushed.push('second'));
    expect([read('a'), read('b'), read('c')]).toEqual(['two', undefined, 'two']);
    expect(store.volatileWriteCount).toBe(3);
    store.crash();
    expect([read('a'), read('b'), read('c')]).toEqual(['one', 'one', undefined]);
    completions[1]!();
    expect(flushed).toEqual(['first']);
    store.crash();
    expect([read('a'), read('b'), read('c')]).toEqual(['one', 'one', undefined]);
  });

  test('may let the oldest of the volatile writes survive', () => {
    const { store, read } = withSlowDisk();
    for (const key of ['a', 'b', 'c']) store.put('items', key, bytes(key));
    store.crash(2);
    expect([read('a'), read('b'), read('c')]).toEqual(['a', 'b', undefined]);
    expect(store.volatileWriteCount).toBe(0);
  });

  test('keeps what an unflushed write followed, if a later flush completed first', () => {
    const { store, completions, read } = withSlowDisk();
    store.put('items', 'a', bytes('a'));
    store.flush(() => {});
    store.put('items', 'b', bytes('b'));
    store.flush(() => {});
    completions[1]!();
    store.put('items', 'c', bytes('c'));
    completions[0]!();
    store.crash();
    expect([read('a'), read('b'), read('c')]).toEqual(['a', 'b', undefined]);
  });

  test('loses nothing that was flushed at once', () => {
    const store = new MemoryStore();
    store.put('items', 'a', bytes('a'));
    store.flush(() => {});
    store.put('items', 'b', bytes('b'));
    store.crash();
    expect([store.get('items', 'a'), store.get('items', 'b')]).toEqual([bytes('a'), undefined]);
  });
});

test('a disk that refuses gives the writes up, tells so, and fails the flushes', () => {
  const { store, completions, read } = withSlowDisk();
  const said: string[] = [];
  store.onLost = () => said.push(`lost, reads ${read('a')}`);
  store.put('items', 'a', bytes('a'));
  store.flush((error) => said.push(`${error}`));
  store.fail(new Error('full'));
  completions[0]!();
  expect(said).toEqual(['lost, reads undefined', 'Error: full']);
  store.put('items', 'a', bytes('again'));
  store.flush((error) => said.push(`${error}`));
  completions[1]!();
  expect([said[2], read('a')]).toEqual(['undefined', 'again']);
});
