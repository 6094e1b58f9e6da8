import { describe, expect, test } from 'vitest';
import type { Condition } from '../../src/api/expression/ast.ts';
import { toImage } from '../../src/api/item.ts';
import { applyMutation, type Mutation } from '../../src/api/mutation.ts';
import { attribute, globalIndex, localIndex, sampleTable } from './sample-table.ts';

const one = toImage({ pk: { S: 'k' }, n: { N: '1' } });
const two = toImage({ pk: { S: 'k' }, n: { N: '2' } });
const isOne: Condition = {
  kind: 'compare',
  comparator: '=',
  left: { kind: 'path', path: ['n'] },
  right: { kind: 'value', value: { N: '1' } },
};
const isNew: Condition = { kind: 'not-exists', path: ['pk'] };

describe('a mutation', () => {
  test('puts its item in the place of any other', () => {
    expect(applyMutation({ kind: 'put', item: two }, one)).toEqual({ kind: 'applied', next: two, old: one });
    expect(applyMutation({ kind: 'put', item: two }, undefined)).toEqual({
      kind: 'applied',
      next: two,
      old: undefined,
    });
  });

  test('deletes what is there, and nothing as well', () => {
    expect(applyMutation({ kind: 'delete' }, one)).toEqual({ kind: 'applied', next: undefined, old: one });
    expect(applyMutation({ kind: 'delete' }, undefined)).toEqual({ kind: 'applied', next: undefined, old: undefined });
  });

  test('is applied only if the current item meets its condition', () => {
    const put = { kind: 'put', item: two, condition: isOne } as const;
    expect(applyMutation(put, one)).toEqual({ kind: 'applied', next: two, old: one });
    expect(applyMutation(put, two)).toEqual({ kind: 'condition-failed', current: two });
    expect(applyMutation({ kind: 'delete', condition: isOne }, two)).toEqual({
      kind: 'condition-failed',
      current: two,
    });
  });

  test('holds a missing item against its condition too', () => {
    const put = { kind: 'put', item: two } as const;
    expect(applyMutation({ ...put, condition: isNew }, undefined)).toMatchObject({ kind: 'applied', next: two });
    expect(applyMutation({ ...put, condition: isOne }, undefined)).toEqual({
      kind: 'condition-failed',
      current: undefined,
    });
  });

  test('without a condition does not read the current item', () => {
    const unreadable = { size: 1, json: Buffer.from('{') };
    expect(applyMutation({ kind: 'delete' }, unreadable)).toMatchObject({ kind: 'applied', old: unreadable });
  });
});

describe('an update', () => {
  const key = { pk: { S: 'k' } };
  const indexes = [
    globalIndex('byN', { partition: 'N:n' }),
    localIndex('byS', { partition: 'S:pk', sort: 'S:s' }, { ProjectionType: 'ALL' }),
  ];
  const { key: schema } = sampleTable({ partition: attribute('S:pk') });
  const addTo = (name: string, value: { N: string } | { SS: string[] }): Mutation => ({
    kind: 'update',
    update: { origin: 'expression', actions: [{ kind: 'add', path: [name], value }] },
    key,
    table: { key: schema, indexes },
  });
  const add = addTo('n', { N: '1' });

  test('makes the next item of the one it finds, as often as it is applied, also when it has travelled', () => {
    for (const mutation of [add, structuredClone(add), JSON.parse(JSON.stringify(add))]) {
      expect(applyMutation(mutation, one)).toEqual({ kind: 'applied', next: two, old: one });
      expect(applyMutation(mutation, one)).toEqual({ kind: 'applied', next: two, old: one });
      expect(applyMutation(mutation, undefined)).toEqual({ kind: 'applied', next: one, old: undefined });
    }
  });

  test('is held against its condition first', () => {
    const condition: Condition = { kind: 'exists', path: ['other'] };
    const unfit = toImage({ ...key, n: { S: 'x' } });
    expect(applyMutation({ ...add, condition }, unfit)).toEqual({ kind: 'condition-failed', current: unfit });
  });

  test('is refused by an item that does not fit, and by the indexes of the table', () => {
    const wrongType = 'An operand in the update expression has an incorrect data type';
    expect(applyMutation(add, toImage({ ...key, n: { S: 'x' } }))).toEqual({ kind: 'refused', message: wrongType });
    // Even where it does not touch the key of the index.
    expect(applyMutation(addTo('m', { N: '1' }), toImage({ ...key, n: { S: 'x' } }))).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('Type mismatch for Index Key n Expected: N Actual: S IndexName: byN'),
    });
  });

  test('may not make an item of more than 400 KB, with its entries in local indexes', () => {
    const message = 'Item size to update has exceeded the maximum allowed size';
    const large = toImage({ ...key, s: { S: 's' }, x: { S: 'x'.repeat(204_700) } });
    expect(applyMutation(addTo('set', { SS: ['y'] }), large)).toMatchObject({ kind: 'applied' });
    expect(applyMutation(addTo('set', { SS: ['y'.repeat(200)] }), large)).toEqual({ kind: 'refused', message });
    const alone = toImage({ ...key, x: { S: 'x'.repeat(409_000) } });
    expect(applyMutation(addTo('set', { SS: ['y'.repeat(1_000)] }), alone)).toEqual({ kind: 'refused', message });
  });
});
