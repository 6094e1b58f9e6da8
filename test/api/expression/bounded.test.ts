import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AttributeMap, type AttributeValue, normaliseMap } from '../../../src/api/attribute-value.ts';
import { ApiError } from '../../../src/api/errors.ts';
import type { UpdateValue } from '../../../src/api/expression/ast.ts';
import { evaluateCondition } from '../../../src/api/expression/condition.ts';
import { applyProjection } from '../../../src/api/expression/projection.ts';
import { resolveExpressions } from '../../../src/api/expression/resolve.ts';
import { resolveUpdateParameters } from '../../../src/api/expression/resolve-update-parameters.ts';
import { containsText } from '../../../src/api/expression/text-search.ts';
import { applyUpdate } from '../../../src/api/expression/update.ts';
import type { ExpressionParameters } from '../../../src/api/operations.ts';

/** Work is counted, not timed: how often elements of the largest value are read. */
let reads = 0;
function counted<T>(elements: T[]): T[] {
  return new Proxy(elements, {
    get(target, name, receiver) {
      if (typeof name === 'string' && name !== 'length') reads++;
      return Reflect.get(target, name, receiver);
    },
  });
}

const KEY = { pk: { S: 'k' } };
const TOO_LARGE = 'Item size to update has exceeded the maximum allowed size';

describe('an update stops as soon as what it makes fits no item', () => {
  const update = (text: string, values: Record<string, AttributeValue> | undefined, item: AttributeMap) => {
    const resolved = resolveUpdateParameters({
      UpdateExpression: text,
      ...(values && { ExpressionAttributeValues: values }),
    });
    reads = 0;
    return () => applyUpdate(resolved.update, { ...KEY, ...item }, KEY);
  };
  const many = (count: number, part: (at: number) => string) => Array.from({ length: count }, (_, at) => part(at));

  // One UpdateItem of 4 KB took 40 s and 3 GB, and ended the process.
  test('of list_append within list_append, as expressions no longer may have it', () => {
    const l = { L: counted(Array.from({ length: 100_000 }, () => ({ NULL: true }))) };
    const path: UpdateValue = { kind: 'path', path: ['l'] };
    let value: UpdateValue = path;
    for (let depth = 0; depth < 255; depth++) value = { kind: 'list-append', left: value, right: path };
    reads = 0;
    const nested = { origin: 'expression', actions: [{ kind: 'set', path: ['l'], value }] } as const;
    expect(() => applyUpdate(nested, { ...KEY, l }, KEY)).toThrow(ApiError.validation(TOO_LARGE));
    expect(reads).toBeLessThan(10 * l.L.length);
    expect(() => update('SET l = list_append(list_append(l, l), l)', undefined, {})).toThrow('list_append');
  });

  test('of one large list that is put into many attributes, or appended in each of them', () => {
    const l = { L: counted(Array.from({ length: 100_000 }, () => ({ NULL: true }))) };
    const copies = update(`SET ${many(300, (at) => `a${at} = l`)}`, undefined, { l });
    expect(copies).toThrow(ApiError.validation(TOO_LARGE));
    expect(reads).toBeLessThan(10 * l.L.length);
    const appended = update(`SET ${many(100, (at) => `a${at} = list_append(l, l)`)}`, undefined, { l });
    expect(appended).toThrow(ApiError.validation(TOO_LARGE));
    expect(reads).toBeLessThan(20 * l.L.length);
  });

  test('of one large set that is added to many attributes', () => {
    const members = counted(many(100_000, (at) => String(100_000 + at)));
    const values = { ':s': { NS: ['1'] } };
    const add = update(`ADD ${many(300, (at) => `a${at} :s`)}`, values, {});
    values[':s'].NS = members;
    expect(add).toThrow(ApiError.validation(TOO_LARGE));
    expect(reads).toBeLessThan(10 * members.length);
  });

  test('and one large set that is taken away from many attributes is looked through once', () => {
    const members = counted(many(100_000, (at) => String(100_000 + at)));
    const values = { ':s': { NS: ['1'] } };
    const sets = Object.fromEntries(many(300, (at) => `a${at}`).map((name) => [name, { NS: ['1', '2'] }]));
    const remove = update(`DELETE ${many(300, (at) => `a${at} :s`)}`, values, sets);
    values[':s'].NS = members;
    expect(remove()).toEqual({ ...KEY, ...sets });
    expect(reads).toBeLessThan(10 * members.length);
  });
});

describe('a condition looks through large values once, however often it names them', () => {
  const meets = (text: string, values: Record<string, AttributeValue>, item: AttributeMap) => {
    const { condition } = resolveExpressions({ ConditionExpression: text, ExpressionAttributeValues: values });
    reads = 0;
    return evaluateCondition(condition!, item);
  };
  const often = (count: number, text: string) => Array.from({ length: count }, () => text).join(' OR ');
  const large = (last: string) => ({
    L: counted([...Array.from({ length: 100_000 }, () => ({ S: '' })), { S: last }]),
  });

  test.each(['a = b', 'a = b OR b = a', 'contains(a, :x)', 'size(m) > :n'])('%s', (text) => {
    const attributes = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`a${at}`, { NULL: true }]));
    let listings = 0;
    const m = new Proxy(attributes, {
      ownKeys(target) {
        listings++;
        return Reflect.ownKeys(target);
      },
    });
    const item = { a: large('x'), b: large('y'), m: { M: m } };
    const all: Record<string, AttributeValue> = { ':x': { S: 'no' }, ':n': { N: '100000' } };
    const values = Object.fromEntries(Object.entries(all).filter(([name]) => text.includes(name)));
    const expression = often(text.includes('OR') ? 50 : 90, text);
    const { condition } = resolveExpressions({
      ConditionExpression: expression,
      ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
    });
    reads = 0;
    expect(evaluateCondition(condition!, item)).toBe(false);
    expect(reads).toBeLessThan(10 * 100_000);
    expect(listings).toBeLessThan(3);
  });

  test('a hundred documents that a list may contain', () => {
    const names = Array.from({ length: 120 }, (_, at) => `:v${at}`);
    const values = Object.fromEntries(names.map((name) => [name, { M: { [name]: { S: name } } }]));
    const l = { L: counted(Array.from({ length: 50_000 }, () => ({ M: {} }))) };
    const text = names.map((name) => `contains(l, ${name})`).join(' OR ');
    expect(meets(text, values, { l })).toBe(false);
    expect(reads).toBeLessThan(10 * l.L.length);
  });

  test('contains finds what is there, in lists of any length', () => {
    const text = 'contains(l, :s) AND contains(l, :n) AND contains(l, :t) AND NOT contains(l, :no)';
    for (const length of [0, 1_000]) {
      const filler = Array.from({ length }, (_, at): AttributeValue => ({ S: `s${at}` }));
      const l = { L: [...filler, { S: '1' }, { N: '2' }, { BOOL: true }] };
      const values = { ':s': { S: '1' }, ':n': { N: '2' }, ':t': { BOOL: true }, ':no': { N: '1' } };
      expect(meets(text, values, { l })).toBe(true);
      const m = { M: { a: { L: [{ N: '1' }] }, b: { SS: ['x', 'y'] } } };
      const sameWithOtherOrder = { M: { b: { SS: ['y', 'x'] }, a: { L: [{ N: '1.0' }] } } };
      const documents = { ':s': sameWithOtherOrder, ':n': { NS: ['2', '1'] }, ':t': { L: [] }, ':no': { M: { a: m } } };
      expect(meets(text, documents, { l: { L: [...filler, m, { NS: ['1', '2'] }, { L: [] }] } })).toBe(true);
    }
  });

  // The engine's own search took 7.8 s for this one.
  test('a text that nearly is the other one everywhere is searched for in proportion to its length', () => {
    const text = 'a'.repeat(400_000);
    const half = 'a'.repeat(100_000);
    const started = performance.now();
    for (const type of ['S', 'B']) {
      const of = (content: string) =>
        ({ [type]: type === 'B' ? Buffer.from(content).toString('base64') : content }) as unknown as AttributeValue;
      const values = { ':v': of(`${half}b${half}`) };
      expect(meets('contains(t, :v)', values, { t: of(text) })).toBe(false);
      expect(meets('contains(t, :v)', values, { t: of(`${text}${half}b${half}x`) })).toBe(true);
    }
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test('a text is found wherever it stands', () => {
    const property = fc.property(fc.string({ unit: fc.constantFrom('a', 'b') }), fc.nat(9), (text, repeats) => {
      const whole = text.repeat(repeats * 40);
      const sought = whole.slice(repeats, repeats + 200);
      expect(containsText(whole, sought)).toBe(whole.includes(sought));
      expect(containsText(whole, `${sought}b`)).toBe(whole.includes(`${sought}b`));
    });
    fc.assert(property);
  });
});

describe('a projection', () => {
  test('of very many paths keeps the same as each of them alone', () => {
    const names = Array.from({ length: 40 }, (_, at) => `a${at}`);
    const item = { a1: { S: 'x' }, a39: { M: { b: { S: 'y' }, c: { S: 'z' } } }, other: { S: '' } };
    const projection = names.map((name) => (name === 'a39' ? [name, 'b'] : [name]));
    expect(applyProjection(projection, item)).toEqual({ a1: { S: 'x' }, a39: { M: { b: { S: 'y' } } } });
  });
});

describe('the values of a request', () => {
  test.each<[string, ExpressionParameters]>([
    ['ExpressionAttributeValues', { ConditionExpression: 'a = :v', ExpressionAttributeValues: { ':v': emptyTexts() } }],
    ['Expected', { Expected: { a: { Value: emptyTexts() } } }],
  ])('are refused as a whole above 2 MB: %s', (parameter, request) => {
    expect(() => resolveExpressions(request)).toThrow(`${parameter} exceeds max size`);
  });

  function emptyTexts(): AttributeValue {
    return { L: Array.from({ length: 2_100_000 }, () => ({ S: '' })) };
  }
});

describe('the sets of an item are not sorted any more', () => {
  test.each(['SS', 'NS', 'BS'])('once the members of its %s fit no item', (type) => {
    const members = counted(Array.from({ length: 50_000 }, (_, at) => Buffer.from(`${at}`).toString('base64')));
    const item = Object.fromEntries(
      Array.from({ length: 100 }, (_, at) => [
        `a${at}`,
        { [type]: type === 'NS' ? counted(members.map((_member, index) => `${index}`)) : members },
      ]),
    ) as unknown as AttributeMap;
    reads = 0;
    expect(() => normaliseMap(item)).toThrow('Item size has exceeded the maximum allowed size');
    expect(reads).toBeLessThan(100 * members.length);
  });
});
