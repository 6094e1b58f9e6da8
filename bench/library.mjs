// Measures what the library costs a test suite: a start, a reset, a snapshot and its restoration, in one process, in
// memory. Medians of twenty.
// Run: npm run bench:library
import { execFileSync } from 'node:child_process';
import { startDynaring } from '../dist/index.js';

const ROUNDS = 20;
const TABLES = 20;
const ITEMS = 1_000;

const table = (TableName, Items) => ({
  TableName,
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
  Items,
});
const tables = Array.from({ length: TABLES }, (_, i) => table(`table-${i}`, [{ id: '1' }, { id: '2' }]));
const filler = 'x'.repeat(390);
const items = table(
  'items',
  Array.from({ length: ITEMS }, (_, i) => ({ id: `${i}`, filler })),
);

/** The first start in a process, which loads modules and runs code that is not compiled yet. */
const FIRST = `
  const beginMs = performance.now();
  const { startDynaring } = await import('../dist/index.js');
  const importedMs = performance.now();
  const dynaring = await startDynaring({ port: 0 });
  console.log(JSON.stringify([importedMs - beginMs, performance.now() - importedMs]));
  await dynaring.stop();
`;
const firsts = Array.from({ length: ROUNDS }, () => {
  const args = ['--input-type=module', '--eval', FIRST];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: import.meta.dirname }));
});

const starts = [];
const stops = [];
for (let round = 0; round < ROUNDS; round++) {
  const [ms, dynaring] = await timed(() => startDynaring({ port: 0 }));
  starts.push(ms);
  stops.push((await timed(() => dynaring.stop()))[0]);
}

const dynaring = await startDynaring({ port: 0 });
const resets = [];
for (let round = 0; round < ROUNDS; round++) {
  await dynaring.seed(tables);
  resets.push((await timed(() => dynaring.reset()))[0]);
}

const seeds = [];
const snapshots = [];
const restores = [];
for (let round = 0; round < ROUNDS; round++) {
  await dynaring.reset();
  seeds.push((await timed(() => dynaring.seed(items)))[0]);
  const [snapshotMs, snapshot] = await timed(() => dynaring.snapshot());
  snapshots.push(snapshotMs);
  restores.push((await timed(() => dynaring.restore(snapshot)))[0]);
}
await dynaring.stop();

console.log('|  | ms | slowest |');
console.log('| --- | ---: | ---: |');
print(
  "`import 'dynaring'`",
  firsts.map(([importMs]) => importMs),
);
print(
  'first start in a process',
  firsts.map(([, startMs]) => startMs),
);
print('later start', starts);
print('stop', stops);
print(`reset of ${TABLES} tables`, resets);
print(`seed of ${ITEMS} items of 400 B`, seeds);
print('snapshot of them', snapshots);
print('restore of them', restores);

async function timed(action) {
  const startMs = performance.now();
  const result = await action();
  return [performance.now() - startMs, result];
}

function print(what, times) {
  const sorted = times.toSorted((a, b) => a - b);
  const median = (sorted[ROUNDS / 2 - 1] + sorted[ROUNDS / 2]) / 2;
  console.log(`| ${what} | ${median.toFixed(1)} | ${sorted.at(-1).toFixed(1)} |`);
}
