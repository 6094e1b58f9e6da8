import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/api/errors.ts';
import { jsonInPieces } from '../../src/web/json-pieces.ts';
import { append, parseInSlices, parseSlices } from '../../src/web/json-slices.ts';
import { parseJson } from '../../src/web/parse-json.ts';
import { planSlices, type SliceSize } from '../../src/web/slice-plan.ts';
import { validateRequest } from '../../src/web/validate.ts';
import { validateSlices } from '../../src/web/validate-slices.ts';

const NO_LIMITS = { maxContainers: 1e9, maxMembers: 1e9 };
const pause = async () => {};

async function slicesOf(text: string | Uint8Array, size: SliceSize) {
  const body = Buffer.from(text as string);
  const plan = await planSlices(body, NO_LIMITS, pause, size);
  if (typeof plan === 'string') return plan;
  return parseSlices(body, plan, pause);
}

/** The value, as text: so that the order of members counts too. `undefined`: it is no JSON. */
async function parsedInSlices(text: string | Uint8Array, size: SliceSize): Promise<string | undefined> {
  const parsed = await slicesOf(text, size);
  if (parsed === undefined || typeof parsed === 'string') return undefined;
  for (const { chunks } of parsed.parts) for (const chunk of chunks.slice(1)) append(chunks[0]!, chunk);
  return JSON.stringify(parsed.value);
}

const size = fc.record({ bytes: fc.integer({ min: 1, max: 40 }), containers: fc.integer({ min: 1, max: 4 }) });
const text = fc
  .tuple(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, '\t'))
  .map(([value, space]) => JSON.stringify(value, undefined, space));

describe('a text in slices', () => {
  test('is what it is in one piece, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(text, size, async (json, slices) => {
        expect(await parsedInSlices(json, slices)).toBe(JSON.stringify(JSON.parse(json)));
      }),
      { numRuns: 500 },
    );
  });

  test('is refused exactly if it is in one piece, whatever is wrong with it', async () => {
    const byte = fc.constantFrom(...Buffer.from('[]{},:"\\ 1tn'), 0x80);
    const places = fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(text, size, places, async (json, slices, changes) => {
        const bytes = Buffer.from(json);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const whole = parseJson(bytes);
        expect(await parsedInSlices(bytes, slices)).toBe(whole === undefined ? undefined : JSON.stringify(whole));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    '{"a":[1,2,3],"b":{"c":[{},{},{}],"d":1},"a":[4,5,6]}',
    '{"__proto__":{"a":[1,2,3],"__proto__":[1,2,3]},"constructor":[1,2],"0":[7,8],"b":[9,9]}',
    '["\\"]},",{"\\\\":["\\\\\\"",1]},"é\\u00e9",-1e999,1E+2]',
    '{"a":1,"a":[1,2,3],"b":[{"x":[1,2]},{"y":[3,4]}]}',
    '  [ [ 1 , 2 ] , [ ] , { } , [ [ 3 , 4 ] , 5 ] ]  ',
  ])('may look like anything: %s', async (json) => {
    for (let bytes = 1; bytes < json.length; bytes++) {
      expect(await parsedInSlices(json, { bytes, containers: 100 })).toBe(JSON.stringify(JSON.parse(json)));
    }
  });

  test.each([
    '[1,2,]',
    '[1,,2]',
    '[1,2}',
    '{"a":[1,2],}',
    '[1,2],3',
    '[[1,2]3]',
    '[[1,2],[3,4]',
    '[1,2]]',
    ',',
    '[1,"a',
    '["\\ud800",1]',
  ])('is refused: %s', async (json) => {
    for (const bytes of [1, 3, 100]) expect(await parsedInSlices(json, { bytes, containers: 100 })).toBeUndefined();
  });

  test('keeps of a long list what is enough to refuse it, and is refused for what is not kept', async () => {
    const inner = `{"a":[${Array.from({ length: 9 }, (_, at) => at)}],"b":{"c":[{},{}],"d":[1,2,3]}}`;
    const json = `{"list":[${Array.from({ length: 40 }, () => inner)}],"after":[1,2,3]}`;
    for (let bytes = 1; bytes < 200; bytes += 7) {
      const parse = async (text: string) => {
        const plan = await planSlices(Buffer.from(text), NO_LIMITS, pause, { bytes, containers: 100 });
        return typeof plan === 'string' ? undefined : parseSlices(Buffer.from(text), plan, pause, 20);
      };
      const { value, parts } = (await parse(json))!;
      for (const { chunks } of parts) for (const chunk of chunks.slice(1)) append(chunks[0]!, chunk);
      const { list, after } = value as { list: unknown[]; after: unknown };
      expect(after).toEqual([1, 2, 3]);
      expect(list).toEqual(Array.from({ length: list.length }, () => JSON.parse(inner)));
      expect(list.length).toBeGreaterThan(20);
      expect(list.length).toBeLessThan(30);
      expect(await parse(json.replace(/3\]\}\}\]/, '3,]}}]'))).toBeUndefined();
    }
  });

  test('that is deeper than anything served, or holds too much, is not made', async () => {
    const plan = (json: string) => planSlices(Buffer.from(json), { maxContainers: 10, maxMembers: 20 }, pause);
    expect(await plan(`[${'[],'.repeat(9)}1]`)).toMatchObject({ containers: 10 });
    expect(await plan(`[${'[],'.repeat(10)}1]`)).toBe('too-many');
    expect(await plan(`[${'1,'.repeat(20)}1]`)).toMatchObject({ containers: 1 });
    expect(await plan(`[${'1,'.repeat(21)}1]`)).toBe('too-many');
    expect(await planSlices(Buffer.from('['.repeat(257)), NO_LIMITS, pause)).toBe('too-deep');
  });

  test.each([
    ['x', 'x'],
    ['é', 'é'],
    ['\\u0041', 'A'],
    ['\\ud83d\\ude00', '😀'],
    ['x\\ud83d\\ude00', 'x😀'],
    ['\\\\', '\\'],
    ['x\\n', 'x\n'],
  ])(
    'a string of %s that no item has room for keeps its beginning, which none has room for either',
    async (raw, unit) => {
      const json = `{"a":"${raw.repeat(8_000_000 / raw.length)}","b":[1,2]}`;
      const { a, b } = JSON.parse((await parsedInSlices(json, { bytes: 1000, containers: 1000 }))!);
      expect(a === unit.repeat(4_000_000).slice(0, a.length) && !/\p{Surrogate}/u.test(a)).toBe(true);
      expect(Buffer.byteLength(a)).toBeGreaterThan(400 * 1024);
      expect([a.length < 4_000_000, b]).toEqual([true, [1, 2]]);
    },
  );
});

describe('a text in pieces', () => {
  test('is what it is in one go', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 6 }), async (value) => {
        const data = { value, list: Array.from({ length: 40 }, () => value), absent: undefined };
        expect((await jsonInPieces(data, pause)).toString()).toBe(JSON.stringify(data));
      }),
    );
  });

  test('is written and read with pauses', async () => {
    let pauses = 0;
    const count = async () => {
      pauses++;
    };
    const items = Array.from({ length: 100_000 }, (_, at) => ({ id: { S: `${at}` }, text: { S: 'é'.repeat(50) } }));
    const data = { format: 1, tables: [{ items }, { items: [] }] };
    const bytes = await jsonInPieces(data, count);
    expect(pauses).toBe(Math.floor(bytes.toString().length / (1024 * 1024)));
    expect(await parseInSlices(bytes, count)).toEqual(data);
    expect(pauses).toBeGreaterThan(bytes.length / (128 * 1024));
    expect(await parseInSlices(bytes.subarray(1), count)).toBeUndefined();
  });
});

describe('a request in slices', () => {
  const L = {
    L: [{ S: '' }, { N: '1' }, { M: { a: { BOOL: 'TRUE' }, b: { L: [{ NULL: true }] } } }, null, { SS: ['a', 'b'] }],
  };
  const item = {
    id: { S: '1' },
    list: L,
    map: { M: { x: { NS: ['1', '2', '3'] }, y: L, z: { BS: ['AAAA', 'AA=='] } } },
  };
  const put = (Item: object, more: object = {}) => ['PutItem', { TableName: 'abc', Item, ...more }] as const;

  /** What becomes of it: the request or the error. */
  const outcome = async (validate: () => unknown): Promise<unknown> => {
    try {
      return await validate();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // What is echoed of a large value is part of it.
      return `${error.name}: ${error.message.replace(/Value .* at '/s, "Value at '")}`;
    }
  };

  test.each([
    ['is large', ...put(item)],
    [
      'has members that there are not',
      ...put(item, { Unknown: [L, L], Expected: { a: { Exists: 'true', Unknown: [1, 2] } } }),
    ],
    ['has a list for an item', 'PutItem', { TableName: 'abc', Item: [L, L, L] }],
    ['has values of a wrong type', ...put({ ...item, wrong: { L: [{ S: '' }, { S: 1 }, { S: '' }] } })],
    ['has an object for a string', ...put({ ...item, wrong: { S: { a: [1, 2, 3], b: [4, 5] } } })],
    ['has a string for a value', ...put({ ...item, wrong: { M: { a: { S: '' }, b: 'b', c: { S: '' } } } })],
    ['has bad base64', ...put({ ...item, wrong: { BS: ['AAAA', 'AAA', 'AAAA'] } })],
    ['has both kinds of faults', ...put({ ...item, wrong: { L: [{ S: '' }, { S: 1 }] } }, { TableName: 'a/b' })],
    ['breaks a rule', ...put(item, { TableName: 'a/b' })],
    ['lacks something', 'PutItem', { Item: item }],
    ['is a list', 'PutItem', [L, L]],
    [
      'is a batch',
      'BatchWriteItem',
      {
        RequestItems: {
          abc: [{ PutRequest: { Item: item } }, { DeleteRequest: { Key: item } }],
          def: [{ PutRequest: { Item: item, Unknown: [1, 2] } }],
        },
      },
    ],
    [
      'is a batch of too many',
      'BatchWriteItem',
      { RequestItems: { abc: Array.from({ length: 40 }, () => ({ PutRequest: { Item: item } })) } },
    ],
    [
      'reads too many keys',
      'BatchGetItem',
      {
        RequestItems: {
          abc: { Keys: Array.from({ length: 200 }, () => ({ id: { S: '1' } })), ConsistentRead: 'true' },
        },
      },
    ],
    [
      'updates',
      'UpdateItem',
      {
        TableName: 'abc',
        Key: { id: { S: '1' } },
        AttributeUpdates: { a: { Action: 'PUT', Value: L, Unknown: [1] }, b: { Action: 'ADD', Value: { N: '1' } } },
      },
    ],
    [
      'updates wrongly',
      'UpdateItem',
      {
        TableName: 'abc',
        Key: { id: { S: '1' } },
        AttributeUpdates: { a: { Action: 'PUT', Value: L }, b: { Action: 'SET', Value: { N: '1' } } },
      },
    ],
    [
      'makes a table',
      'CreateTable',
      {
        TableName: 'abc',
        KeySchema: [
          { AttributeName: 'a', KeyType: 'HASH' },
          { AttributeName: 'b', KeyType: 'RANGE' },
          { AttributeName: 'c', KeyType: 'RANGE' },
        ],
        AttributeDefinitions: [{ AttributeName: 'a', AttributeType: 'S' }],
      },
    ],
  ] as const)('that %s has the fate that it has in one piece', async (_, operation, request) => {
    const json = JSON.stringify(request);
    const expected = await outcome(() => validateRequest(operation, JSON.parse(json)));
    const least = json.length < 5000 ? 1 : 200;
    for (let bytes = least; bytes < least + 300; bytes += bytes < 20 ? 1 : 29) {
      const parsed = await slicesOf(json, { bytes, containers: 1000 });
      if (typeof parsed !== 'object') throw new Error(`${parsed}`);
      expect(await outcome(() => validateSlices(operation, parsed, pause)), `slices of ${bytes}`).toEqual(expected);
    }
  });
});
