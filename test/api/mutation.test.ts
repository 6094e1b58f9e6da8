import { describe, expect, it } from 'vitest';
import type { Condition } from '../../src/api/expression/ast.ts';
import { toImage } from '../../src/api/item.ts';
import { applyMutation } from '../../src/api/mutation.ts';

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
  it('puts its item in the place of any other', () => {
    expect(applyMutation({ kind: 'put', item: two }, one)).toEqual({ kind: 'applied', next: two, old: one });
    expect(applyMutation({ kind: 'put', item: two }, undefined)).toEqual({
      kind: 'applied',
      next: two,
      old: undefined,
    });
  });

  it('deletes what is there, and nothing as well', () => {
    expect(applyMutation({ kind: 'delete' }, one)).toEqual({ kind: 'applied', next: undefined, old: one });
    expect(applyMutation({ kind: 'delete' }, undefined)).toEqual({ kind: 'applied', next: undefined, old: undefined });
  });

  it('is applied only if the current item meets its condition', () => {
    const put = { kind: 'put', item: two, condition: isOne } as const;
    expect(applyMutation(put, one)).toEqual({ kind: 'applied', next: two, old: one });
    expect(applyMutation(put, two)).toEqual({ kind: 'condition-failed', current: two });
    expect(applyMutation({ kind: 'delete', condition: isOne }, two)).toEqual({
      kind: 'condition-failed',
      current: two,
    });
  });

  it('holds a missing item against its condition too', () => {
    const put = { kind: 'put', item: two } as const;
    expect(applyMutation({ ...put, condition: isNew }, undefined)).toMatchObject({ kind: 'applied', next: two });
    expect(applyMutation({ ...put, condition: isOne }, undefined)).toEqual({
      kind: 'condition-failed',
      current: undefined,
    });
  });

  it('without a condition does not read the current item', () => {
    const unreadable = { size: 1, json: Buffer.from('{') };
    expect(applyMutation({ kind: 'delete' }, unreadable)).toMatchObject({ kind: 'applied', old: unreadable });
  });
});
