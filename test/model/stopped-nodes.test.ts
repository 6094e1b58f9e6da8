import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { questionOf } from './arbitrary-questions.ts';
import { checkQuestion, checkScans, checkSizes } from './checks.ts';
import { change, history, putAll, questions, withTable } from './history.ts';
import { RingUnderTest } from './ring-under-test.ts';
import { PATIENCE_MS, RUNS, runs } from './runs.ts';

let under: RingUnderTest;
beforeAll(async () => {
  under = await RingUnderTest.open({ phaseTimeoutMs: 200, entryWaitMs: 200 });
});
afterAll(() => under?.close());

/** Which node is down during a part of the changes, and whether its disk is lost then; undefined: none. */
const node = fc.constantFrom('node-1', 'node-2', 'node-3');
const down = fc.record({ node, isLost: fc.constantFrom(false, false, true) });
const downs = fc.array(fc.option(down, { nil: undefined, freq: 3 }), { minLength: 2, maxLength: 4 });

test(
  'after writes while one node or another was stopped, or lost its disk, every index is what it would be without that',
  async () => {
    await fc.assert(
      fc.asyncProperty(history, downs, questions, async ({ schema, items, changes }, stopped, asked) => {
        await withTable(under.ask, schema, async (table) => {
          await putAll(under.ask, table, items);
          const part = Math.ceil(changes.length / stopped.length);
          for (const [at, fault] of stopped.entries()) {
            if (fault !== undefined) await under.ring.stop(fault.node);
            for (const each of changes.slice(at * part, (at + 1) * part)) await change(under.ask, table, each);
            // Consistent reads find every write, whoever is down. Those of global indexes are never consistent.
            if (schema.consistency !== 'dynamo') {
              for (const each of asked) {
                if (questionOf(table, each).question.target.index?.kind === 'global') continue;
                await checkQuestion(under.ask, table, { ...each, isConsistent: true });
              }
            }
            if (fault === undefined) continue;
            if (fault.isLost) await under.ring.wipe(fault.node);
            else await under.ring.start(fault.node);
            await under.ring.settled();
          }
          await under.ring.waitUntilConsistent();
          for (const each of asked) await checkQuestion(under.ask, table, each);
          await checkScans(under.ask, table, undefined);
          if (schema.consistency !== 'dynamo') await checkSizes(under.ask, table);
        });
      }),
      runs(RUNS / 16),
    );
    expect(under.ring.describe().nodes).toHaveLength(3);
  },
  PATIENCE_MS,
);
