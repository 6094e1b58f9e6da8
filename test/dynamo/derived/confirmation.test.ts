import { describe, expect, test } from 'vitest';
import { Confirmation } from '../../../src/dynamo/derived/confirmation.ts';
import type { PartitionConfig, Reply } from '../../../src/dynamo/messages.ts';
import { ItemRecord } from '../../../src/dynamo/record.ts';
import { SOUND_RULES } from '../../../src/dynamo/rules.ts';

const ENTRY = new ItemRecord({
  ballot: { hlc: 1, coordinator: 1, boot: 1 },
  item: undefined,
  partitionKey: '',
  lineage: [],
  isEntry: true,
});
const configOf = (epoch: number, ...nodes: string[]): PartitionConfig => ({
  partition: 0,
  epoch,
  members: nodes.map((node, at) => ({ node, diskId: at + 1 })),
  attempt: 0,
});
const taken = (from: string, epoch: number, isSealed = false): Reply => ({
  kind: 'learned',
  from,
  vote: { epoch, isSealed },
});
const ABC = configOf(4, 'A', 'B', 'C');

function confirmation(...replies: Reply[]): Confirmation {
  const made = new Confirmation('entry', ENTRY, SOUND_RULES);
  for (const reply of replies) made.note(reply);
  return made;
}

describe('an entry is confirmed by', () => {
  test('a majority of the members of one epoch', () => {
    expect(confirmation(taken('A', 4)).isConfirmed(ABC, 2)).toBe(false);
    expect(confirmation(taken('A', 4), taken('A', 4)).isConfirmed(ABC, 2)).toBe(false);
    expect(confirmation(taken('A', 4), taken('B', 4)).isConfirmed(ABC, 2)).toBe(true);
  });

  test('none that was sealed: what its epoch hands on may be without the entry', () => {
    const some = confirmation(taken('A', 4), taken('B', 4, true));
    expect(some.isConfirmed(ABC, 2)).toBe(false);
    expect([...some.holders]).toEqual(['A', 'B']);
  });

  test('no sum over two epochs: the first of them may have been left by then', () => {
    const some = confirmation(taken('A', 4), taken('D', 5));
    expect(some.isConfirmed(ABC, 2)).toBe(false);
    expect(some.isConfirmed(configOf(5, 'B', 'C', 'D'), 2)).toBe(false);
    some.note(taken('B', 5));
    expect(some.isConfirmed(configOf(5, 'B', 'C', 'D'), 2)).toBe(true);
  });

  test('no node without a vote, none that holds it back, and no refusal', () => {
    const held: Reply = { kind: 'learned', from: 'B', vote: undefined, isHeld: true };
    const outsider: Reply = { kind: 'learned', from: 'C', vote: undefined };
    const failed: Reply = { kind: 'storage-failed', from: 'D', message: 'full' };
    const some = confirmation(taken('A', 4), held, outsider, failed);
    expect(some.isConfirmed(ABC, 2)).toBe(false);
    expect([...some.holders]).toEqual(['A']);
    expect([...some.lagging]).toEqual(['B']);
  });
});

test('an entry is shown when every member that seems up has it, or holds it back', () => {
  const held: Reply = { kind: 'learned', from: 'B', vote: undefined, isHeld: true };
  const some = confirmation(taken('A', 4), held);
  expect(some.isShown(ABC, () => true)).toBe(false);
  expect(some.isShown(ABC, (node) => node !== 'C')).toBe(true);
  some.note(taken('C', 4));
  expect(some.isShown(ABC, () => true)).toBe(true);
});
