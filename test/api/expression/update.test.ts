import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeMap, AttributeValue } from '../../../src/api/attribute-value.ts';
import { ApiError } from '../../../src/api/errors.ts';
import type { Path, Update, UpdateAction, UpdateValue } from '../../../src/api/expression/ast.ts';
import { parseUpdate } from '../../../src/api/expression/parse-update.ts';
import { checkDisjoint } from '../../../src/api/expression/resolve-projection.ts';
import { resolveUpdate } from '../../../src/api/expression/resolve-update.ts';
import { resolveUpdateParameters } from '../../../src/api/expression/resolve-update-parameters.ts';
import { applyUpdate } from '../../../src/api/expression/update.ts';

const KEY: AttributeMap = { pk: { S: 'k' } };
const GONE: AttributeValue = { S: 'removed' };
const name = fc.constantFrom('a', 'b', '__proto__');

const scalar: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map((n) => ({ N: String(n) })),
  fc.constantFrom<AttributeValue>({ S: 'x' }, { SS: ['p'] }, { SS: ['p', 'q'] }, { NS: ['1'] }),
);
const { value } = fc.letrec<{ value: AttributeValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }).map((L) => ({ L })),
    fc.uniqueArray(fc.tuple(name, tie('value')), { selector: ([n]) => n }).map((M) => ({ M: Object.fromEntries(M) })),
  ),
}));
const item = fc
  .uniqueArray(fc.tuple(name, value), { selector: ([n]) => n })
  .map((entries): AttributeMap => ({ ...KEY, ...Object.fromEntries(entries) }));
const path: fc.Arbitrary<Path> = fc
  .tuple(name, fc.array(fc.oneof(name, fc.nat(4)), { maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest]);
const operand: fc.Arbitrary<UpdateValue> = fc.oneof(
  value.map((literal) => ({ kind: 'value' as const, value: literal })),
  path.map((of) => ({ kind: 'path' as const, path: of })),
);
const updateValue: fc.Arbitrary<UpdateValue> = fc.oneof(
  operand,
  fc.record({ kind: fc.constantFrom('plus', 'minus', 'list-append'), left: operand, right: operand }),
  fc.record({ kind: fc.constant('if-not-exists'), path, otherwise: operand }),
);
const action: fc.Arbitrary<UpdateAction> = fc.oneof(
  fc.record({ kind: fc.constant('set'), path, value: updateValue }),
  fc.record({ kind: fc.constant('remove'), path }),
  fc.record({ kind: fc.constant('add'), path, value: scalar.filter((v) => !('S' in v)) }),
  fc.record({ kind: fc.constant('delete'), path, value: scalar.filter((v) => 'SS' in v || 'NS' in v) }),
);
const actions = fc.array(action, { minLength: 1, maxLength: 5 }).filter((all) => {
  try {
    checkDisjoint(
      'UpdateExpression',
      all.map((each) => each.path),
    );
    return true;
  } catch {
    return false;
  }
});

describe('an update', () => {
  test('makes what a model makes that changes a copy step by step', () => {
    let refused = 0;
    let made = 0;
    const property = fc.property(fc.option(item, { nil: undefined }), actions, (before, all) => {
      const ours = attempt(() => applyUpdate({ origin: 'expression', actions: all }, before, KEY));
      expect(ours).toEqual(attempt(() => model(all, before)));
      if (ours === 'refused') refused++;
      else made++;
    });
    fc.assert(property, { numRuns: 3_000 });
    expect(Math.min(refused, made)).toBeGreaterThan(300);
  });

  test('makes the same of the same item however often it is applied, and leaves the item as it was', () => {
    const property = fc.property(item, actions, (before, all) => {
      const update: Update = { origin: 'expression', actions: all };
      const text = JSON.stringify([before, all]);
      const first = JSON.stringify(attempt(() => applyUpdate(update, before, KEY)));
      expect(JSON.stringify(attempt(() => applyUpdate(update, before, KEY)))).toBe(first);
      expect(JSON.stringify([before, all])).toBe(text);
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});

describe('of a list, an update', () => {
  const before: AttributeMap = { ...KEY, l: { L: [{ N: '0' }, { N: '1' }, { N: '2' }] } };
  const x = { S: 'x' };
  const y = { S: 'y' };
  test.each<[string, AttributeValue[]]>([
    ['REMOVE l[0], l[2]', [{ N: '1' }]],
    ['SET l[1] = :x REMOVE l[0]', [x, { N: '2' }]],
    ['SET l[9] = :x, l[7] = :y', [...list(before), y, x]],
    ['SET l[3] = :x REMOVE l[1], l[8]', [{ N: '0' }, { N: '2' }, x]],
    ['ADD l[1] :one, l[5] :one', [{ N: '0' }, { N: '2' }, { N: '2' }, { N: '1' }]],
    ['SET l[0] = l[2], l[2] = l[0]', [{ N: '2' }, { N: '1' }, { N: '0' }]],
    ['SET l = list_append(:l, if_not_exists(l, :l))', [x, ...list(before)]],
  ])('%s', (text, after) => {
    expect(apply(text, before)).toEqual({ ...KEY, l: { L: after } });
  });

  function list(of: AttributeMap): AttributeValue[] {
    return (of.l as { L: AttributeValue[] }).L;
  }
});

test.each<[string, AttributeMap | undefined]>([
  ['REMOVE l', undefined],
  ['DELETE l :set', undefined],
  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1: nothing happens below what is absent, and the attributes of
  // the key count as there.
  ['REMOVE x.y, l[0]', undefined],
  ['DELETE x.y :set', undefined],
  ['SET l = pk', { ...KEY, l: { S: 'k' } }],
  ['SET l = if_not_exists(l, pk)', { ...KEY, l: { S: 'k' } }],
  ['SET l = if_not_exists(pk, :x)', { ...KEY, l: { S: 'k' } }],
  ['ADD l :one REMOVE n', { ...KEY, l: { N: '1' } }],
  ['ADD l :set', { ...KEY, l: { SS: ['a'] } }],
])('of no item, %s makes', (text, after) => {
  expect(apply(text, undefined)).toEqual(after);
});

test('a set that loses its last member is gone, from lists and maps too', () => {
  const set = { SS: ['a'] };
  expect(apply('DELETE s :set, l[0] :set, m.s :set', { s: set, l: { L: [set] }, m: { M: { s: set } } })).toEqual({
    l: { L: [] },
    m: { M: {} },
  });
});

test('a document may have 32 levels, wherever it is put', () => {
  let deep: AttributeValue = { S: 'x' };
  for (let level = 2; level < 32; level++) deep = { L: [deep] };
  const before: AttributeMap = { m: { M: { x: { M: {} } } }, deep };
  expect(apply('SET m.y = deep', before)).toHaveProperty('m.M.y.L');
  expect(() => apply('SET m.x.y = deep', before)).toThrow('Nesting Levels have exceeded supported limits');
});

test.each([
  ['SET x = (n)', true],
  ['SET x = (n + :one)', true],
  ['SET x = (n) + (:one)', true],
  ['set x = n Remove y', true],
  // Recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1.
  [
    'SET x = list_append(list_append(n, n), n)',
    'The function is not allowed to be used this way in an expression; function: list_append',
  ],
  ['SET x = ((n))', 'The expression has redundant parentheses;'],
  ['SET x = (n + :one) + :one', 'Syntax error; token: "+", near: ") + :one"'],
  ['SET x = n + (n + :one)', 'Syntax error; token: "+", near: "n + :one"'],
  ['SET x = n,', 'Syntax error; token: "<EOF>", near: ","'],
  ['x = n', 'Syntax error; token: "x", near: "x ="'],
  ['AND x', 'Syntax error; token: "AND", near: "AND x"'],
  ['SET (x) = n', 'Syntax error; token: "(", near: "SET (x"'],
  ['SET x = n = n', 'Syntax error; token: "=", near: "n = n"'],
])('%s parses, or is refused', (text, expected) => {
  const values = text.includes(':one') ? { ':one': { N: '1' } } : undefined;
  const parse = () => resolveUpdateParameters({ UpdateExpression: text, ExpressionAttributeValues: values! });
  if (expected === true) expect(parse).not.toThrow();
  else expect(parse).toThrow(expect.objectContaining({ message: `Invalid UpdateExpression: ${expected}` }));
});

test('any text is an update or an error of the service', () => {
  const parts =
    ', b.c[1] = a|, d = (#n)|+ :v|- (a)|REMOVE e|, f[0]|ADD g :v|DELETE h :w|= list_append(:w, :w)|(|)|.|[|?|AND';
  const words = parts.split('|');
  let good = 0;
  const property = fc.property(fc.array(fc.constantFrom(...words), { maxLength: 6 }), (some) => {
    const UpdateExpression = ['SET a = :v', ...some].join(' ');
    const placeholders = { names: { '#n': 'n' }, values: { ':v': { N: '1' }, ':w': { L: [] } } };
    const outcome = attempt(() =>
      resolveUpdate(parseUpdate(UpdateExpression), { ...placeholders, usedNames: new Set(), usedValues: new Set() }),
    );
    if (outcome !== 'refused') good++;
  });
  fc.assert(property, { numRuns: 5_000 });
  expect(good).toBeGreaterThan(50);
});

function apply(text: string, before: AttributeMap | undefined): AttributeMap | undefined {
  const all: Record<string, AttributeValue> = {
    ':x': { S: 'x' },
    ':y': { S: 'y' },
    ':l': { L: [{ S: 'x' }] },
    ':one': { N: '1' },
    ':set': { SS: ['a'] },
  };
  const used = Object.entries(all).filter(([reference]) => new RegExp(`${reference}\\b`).test(text));
  const ExpressionAttributeValues = used.length === 0 ? undefined : Object.fromEntries(used);
  const { update } = resolveUpdateParameters({
    UpdateExpression: text,
    ...(ExpressionAttributeValues && { ExpressionAttributeValues }),
  });
  return applyUpdate(update, before, KEY);
}

/** As `applyUpdate`, by walking through a copy and changing it: what is removed is marked, and swept at the end. */
function model(all: readonly UpdateAction[], before: AttributeMap | undefined): AttributeMap | undefined {
  if (before === undefined && all.every(({ kind }) => kind === 'remove' || kind === 'delete')) return undefined;
  const root: AttributeValue = { M: structuredClone(before ?? KEY) };
  const appended: { list: AttributeValue[]; index: number; value: AttributeValue }[] = [];
  const values = all.map((each) => resultOf(each, before ?? KEY));
  all.forEach((each, at) => {
    const parent = find(root, each.path.slice(0, -1));
    const last = each.path.at(-1)!;
    const result = values[at];
    if (typeof last === 'number') {
      if (parent === undefined || !('L' in parent)) throw ApiError.validation('path');
      if (last < parent.L.length) parent.L[last] = result ?? GONE;
      else if (result !== undefined) appended.push({ list: parent.L, index: last, value: result });
    } else {
      if (parent === undefined || !('M' in parent)) throw ApiError.validation('path');
      const descriptor = { value: result ?? GONE, enumerable: true, configurable: true, writable: true };
      Object.defineProperty(parent.M, last, descriptor);
    }
  });
  for (const { list, value } of appended.sort((a, b) => a.index - b.index)) list.push(value);
  sweep(root);
  return root.M;
}

function resultOf(each: UpdateAction, before: AttributeMap | undefined): AttributeValue | undefined {
  if (each.kind === 'remove') return undefined;
  if (each.kind === 'set') return structuredClone(evaluated(each.value, before));
  const now = before && (find({ M: before }, each.path) as Record<string, string[] & string> | undefined);
  if (now === undefined) return each.kind === 'add' ? each.value : undefined;
  const [type, operand] = Object.entries(each.value)[0] as [string, string[] & string];
  if (now[type] === undefined) throw ApiError.validation('type');
  if (type === 'N') return { N: String(Number(now.N) + Number(operand)) };
  const members = [...now[type]!].filter((member) => !operand.includes(member));
  if (each.kind === 'add') members.push(...operand);
  return members.length === 0 ? undefined : ({ [type]: members.sort() } as AttributeValue);
}

function evaluated(of: UpdateValue, before: AttributeMap | undefined): AttributeValue {
  if (of.kind === 'value') return of.value;
  if (of.kind === 'path' || of.kind === 'if-not-exists') {
    const found = before && find({ M: before }, of.path);
    if (found !== undefined) return found;
    if (of.kind === 'if-not-exists') return evaluated(of.otherwise, before);
    throw ApiError.validation('missing');
  }
  const left = evaluated(of.left, before) as { N?: string; L?: AttributeValue[] };
  const right = evaluated(of.right, before) as { N?: string; L?: AttributeValue[] };
  if (of.kind === 'list-append' && left.L && right.L) return { L: left.L.concat(right.L) };
  if (of.kind === 'list-append' || left.N === undefined || right.N === undefined) throw ApiError.validation('type');
  return { N: String(Number(left.N) + Number(right.N) * (of.kind === 'plus' ? 1 : -1)) };
}

function find(from: AttributeValue, steps: Path): AttributeValue | undefined {
  let at: AttributeValue | undefined = from;
  for (const step of steps) {
    if (at === undefined) return undefined;
    if (typeof step === 'number') at = 'L' in at ? at.L[step] : undefined;
    else at = 'M' in at && Object.hasOwn(at.M, step) ? at.M[step] : undefined;
  }
  return at;
}

function sweep(of: AttributeValue): void {
  if ('L' in of) {
    const left = of.L.filter((element) => element !== GONE);
    of.L.splice(0, of.L.length, ...left);
    of.L.forEach(sweep);
  } else if ('M' in of) {
    for (const [key, member] of Object.entries(of.M)) {
      if (member === GONE) delete of.M[key];
      else sweep(member);
    }
  }
}

function attempt<Result>(run: () => Result): Result | 'refused' {
  try {
    return run();
  } catch (error) {
    if (error instanceof ApiError) return 'refused';
    throw error;
  }
}
