import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkQuestion, checkScans, checkSizes } from './checks.ts';
import { change, history, putAll, questions, withTable } from './history.ts';
import { RingUnderTest } from './ring-under-test.ts';

const RUNS = Math.ceil(Number(process.env.DYNARING_MODEL_RUNS ?? 80) / 16);
const SEED = process.env.DYNARING_MODEL_SEED;

let under: RingUnderTest;
beforeAll(async () => {
  under = await RingUnderTest.open({ phaseTimeoutMs: 200, entryWaitMs: 200 });
});
afterAll(() => under?.close());

/** Which node is down during a part of the changes; undefined: none. */
const downs = fc.array(fc.constantFrom('node-1', 'node-2', 'node-3', undefined), { minLength: 2, maxLength: 4 });

test('after writes while one node or another was stopped, every index is what it would be without that', async () => {
  await fc.assert(
    fc.asyncProperty(history, downs, questions, async ({ schema, items, changes }, stopped, asked) => {
      await withTable(under.ask, schema, async (table) => {
        await putAll(under.ask, table, items);
        const part = Math.ceil(changes.length / stopped.length);
        for (const [at, node] of stopped.entries()) {
          if (node !== undefined) await under.ring.stop(node);
          for (const each of changes.slice(at * part, (at + 1) * part)) await change(under.ask, table, each);
          if (node !== undefined) await under.ring.start(node);
        }
        await under.ring.waitUntilConsistent();
        for (const each of asked) await checkQuestion(under.ask, table, each);
        await checkScans(under.ask, table, undefined);
        if (schema.consistency !== 'dynamo') await checkSizes(under.ask, table);
      });
    }),
    { numRuns: RUNS, ...(SEED !== undefined && { seed: Number(SEED) }) },
  );
  expect(under.ring.describe().nodes).toHaveLength(3);
});
