import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import { startDynaring } from '../../src/index.ts';
import { draft } from './arbitrary-questions.ts';
import { changeOf } from './arbitrary-tables.ts';
import { checkQuestion } from './checks.ts';
import { change, checkHistory, history, putAll, questions, withTable } from './history.ts';
import type { ModelSchema, ModelTable } from './model-table.ts';
import { requestOf } from './notation.ts';
import { CALM, RingUnderTest } from './ring-under-test.ts';
import { PATIENCE_MS, RUNS, runs } from './runs.ts';
import { askBySdk } from './sdk-ask.ts';
import { itemAsAnswered, linesOf } from './values.ts';

const scanLimit = fc.option(fc.integer({ min: 1, max: 7 }), { nil: undefined });

let under: RingUnderTest;
beforeAll(async () => {
  under = await RingUnderTest.open();
});
afterAll(() => under?.close());

describe('a table and its indexes', () => {
  test(
    'answer each query as a list that is filtered and sorted',
    async () => {
      await fc.assert(
        fc.asyncProperty(history, questions, scanLimit, async (of, asked, limit) => {
          await checkHistory(under.ask, of, asked, limit);
        }),
        runs(RUNS),
      );
    },
    PATIENCE_MS,
  );

  test(
    'answer so by the SDK',
    async () => {
      const db = await startDynaring({ partitions: 8, limits: CALM });
      onTestFinished(() => db.stop());
      const client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
      onTestFinished(() => client.destroy());
      await fc.assert(
        fc.asyncProperty(history, questions, scanLimit, async (of, asked, limit) => {
          await checkHistory(askBySdk(client), of, asked, limit);
        }),
        runs(RUNS / 10),
      );
    },
    PATIENCE_MS,
  );
});

const PROJECTIONS = { all: 'ALL', keys: 'KEYS_ONLY', some: ['text'] } as const;
/** Every projection, with sort keys on which some items agree. */
const WIDE: ModelSchema = {
  partition: { name: 'pk', type: 'S' },
  sort: { name: 'sk', type: 'N' },
  indexes: Object.entries(PROJECTIONS).flatMap(([name, projection]) => [
    {
      name: `local-${name}`,
      kind: 'local',
      partition: [{ name: 'pk', type: 'S' }],
      sort: [{ name: 'b2', type: 'N' }],
      projection,
    },
    {
      name: `global-${name}`,
      kind: 'global',
      partition: [{ name: 'a', type: 'S' }],
      sort: [{ name: 'b2', type: 'N' }],
      projection,
    },
  ]),
};

describe('pages that are full', () => {
  /** At most what the limit of 400 KB for an item with its entries in three local indexes leaves. */
  const SIZES = [100, 3_000, 3_050, 3_072, 6_100, 20_000, 60_000, 90_000];
  const wideItem = fc.record({ size: fc.constantFrom(...SIZES), place: fc.nat({ max: 5 }), isText: fc.boolean() });
  const itemOf = ({ size, place, isText }: { size: number; place: number; isText: boolean }, at: number) => ({
    pk: { S: 'p' },
    sk: { N: String(at) },
    a: { S: 'a' },
    b2: { N: String(place) },
    n: { N: String(at % 3) },
    [isText ? 'text' : 'list']: { S: 'x'.repeat(size) },
  });

  test(
    'end where the bytes of their items, or of entries and what completes them, are beyond 1 MB',
    async () => {
      const many = fc.array(wideItem, { minLength: 10, maxLength: 80 }).map((all) => all.map(itemOf));
      const asked = fc.array(
        draft.map((each) => ({ ...each, stranger: undefined, limit: undefined, depth: each.depth % 2 })),
        { minLength: 3, maxLength: 6 },
      );
      await fc.assert(
        fc.asyncProperty(many, asked, async (items, questions) => {
          await withTable(under.ask, WIDE, async (table) => {
            await putAll(under.ask, table, items);
            for (const each of questions) await checkQuestion(under.ask, table, each);
          });
        }),
        runs(RUNS / 10),
      );
    },
    PATIENCE_MS,
  );
});

describe('a large collection', () => {
  test(
    'is answered as a small one, though no single read of the ring has all of it',
    async () => {
      const many = fc.record({ count: fc.integer({ min: 1_000, max: 2_500 }), places: fc.constantFrom(1, 7, 400) });
      const asked = fc.array(
        fc
          .tuple(draft, fc.constantFrom(undefined, 100, 256, 999))
          .map(([each, limit]) => ({ ...each, stranger: undefined, limit })),
        { minLength: 8, maxLength: 8 },
      );
      await fc.assert(
        fc.asyncProperty(many, asked, async ({ count, places }, questions) => {
          await withTable(under.ask, WIDE, async (table) => {
            const items = Array.from({ length: count }, (_, at) => ({
              pk: { S: 'p' },
              sk: { N: String((at * 7_919) % count) },
              a: { S: 'a' },
              b2: { N: String(at % places) },
              n: { N: String(at % 3) },
            }));
            for (let at = 0; at < count; at += 100) await putAll(under.ask, table, items.slice(at, at + 100));
            for (const each of questions) await checkQuestion(under.ask, table, each);
          });
        }),
        runs(RUNS / 80),
      );
    },
    PATIENCE_MS,
  );
});

describe('pages, between which the table changes', () => {
  const KEYS = fc.record({
    pk: fc.constant({ S: 'a' }),
    sk: fc.integer({ max: 40, min: 1 }).map((n) => ({ N: `${n}` })),
  });
  const item = fc.tuple(KEYS, fc.nat({ max: 4 })).map(
    ([key, place]): AttributeMap => ({
      ...key,
      a: { S: 'a' },
      b2: { N: String(place) },
    }),
  );
  const items = fc.uniqueArray(item, { minLength: 5, maxLength: 30, selector: ({ sk }) => linesOf(sk) });
  const rounds = fc.array(fc.array(changeOf(WIDE), { maxLength: 3 }), { minLength: 1, maxLength: 10 });

  /** The pages of a whole partition; the item that a page ends with is deleted before the next one. */
  async function readAll(
    table: ModelTable,
    at: number,
    isForward: boolean,
    changes: (last: AttributeMap) => Promise<void>,
  ) {
    const target = table.targets[at]!;
    const question = {
      target,
      partition: { [target.partition[0]!.name]: { S: 'a' } },
    };
    const request = requestOf(
      {
        ...question,
        sort: [],
        isForward,
        limit: 3,
        filter: undefined,
        names: undefined,
        select: undefined,
        isConsistent: undefined,
        level: undefined,
      },
      {
        isLegacy: false,
        isSortFirst: false,
        around: 'none',
        isLowerCase: false,
        isReversed: false,
        isPlain: () => true,
      },
    );
    const found: AttributeMap[] = [];
    for (let next: AttributeMap | undefined; ; ) {
      const answer = await under.ask('Query', {
        ...structuredClone(request),
        ...(next && { ExclusiveStartKey: next }),
      });
      found.push(...answer.Items);
      next = answer.LastEvaluatedKey;
      if (next === undefined) return found;
      await changes(next);
    }
  }

  test(
    'have what stays as it is once, and never an item twice at one place',
    async () => {
      await fc.assert(
        fc.asyncProperty(items, rounds, fc.nat({ max: 6 }), fc.boolean(), async (all, changes, at, isForward) => {
          await withTable(under.ask, WIDE, async (table) => {
            await putAll(under.ask, table, all);
            const touched = new Set<string>();
            let round = 0;
            const found = await readAll(table, at, isForward, async (last) => {
              const now = [...(changes[round++] ?? []), { kind: 'delete' as const, key: table.keyOf(last) }];
              for (const each of now) {
                touched.add(linesOf(table.keyOf(itemAsAnswered(each.kind === 'put' ? each.item : each.key))));
                await change(under.ask, table, each);
              }
            });
            const places = found.map((each) => table.placeOf(table.targets[at]!, each));
            expect(new Set(places).size).toBe(places.length);
            const keys = found.map((each) => linesOf(table.keyOf(each)));
            const stayed = all.map((each) => linesOf(table.keyOf(each))).filter((key) => !touched.has(key));
            expect(keys).toEqual(expect.arrayContaining(stayed));
          });
        }),
        runs(RUNS / 3),
      );
    },
    PATIENCE_MS,
  );
});
