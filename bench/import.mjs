// Measures how many items a second `dynaring import` writes, one item per request and 25, into this server and its
// peers. The variants alternate; the results are medians and ranges.
// Run: npm run bench:import -- [--items N] [--rounds N] [--only NAMES]
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeItem } from './items.mjs';
import { cpuTimeUs } from './process-stats.mjs';
import { chooseServers, killAllServers, startServer, stopServer } from './servers.mjs';

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const ITEM_BYTES = 400;
const BATCH_SIZES = [1, 25];

const { values } = parseArgs({
  options: {
    items: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'dynaring-memory,dynalite-memory,dynoxide-memory,null-0-ms,null-10-ms' },
  },
});
const [items, rounds] = [Number(values.items), Number(values.rounds)];

const folder = mkdtempSync(join(tmpdir(), 'dynaring-bench-'));
process.on('exit', () => {
  killAllServers();
  rmSync(folder, { recursive: true, force: true });
});
const file = join(folder, 'items.json');
const lines = Array.from({ length: items }, (_, at) => `{"Item":${JSON.stringify(makeItem(ITEM_BYTES, at))}}\n`);
writeFileSync(file, lines.join(''));

/** @returns items a second, by the time between the start of the process and its end, and CPU time for each */
async function runImport(server, table, batchSize) {
  const definition = join(folder, 'table.json');
  const key = { KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }] };
  const types = { AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }], BillingMode: 'PAY_PER_REQUEST' };
  writeFileSync(definition, JSON.stringify({ TableName: table, ...key, ...types }));
  const options = ['--create', definition, '--endpoint', `http://127.0.0.1:${server.port}`, '--batch-size', batchSize];
  const [beganMs, beganUs] = [performance.now(), cpuTimeUs(server.pid)];
  const child = spawn(process.execPath, [CLI, 'import', file, '--quiet', ...options.map(String)], { stdio: 'pipe' });
  let told = '';
  child.stderr.on('data', (text) => {
    told += text;
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(`${server.name}: the import ended with status ${status}: ${told}`);
  const ms = performance.now() - beganMs;
  return { rate: (items / ms) * 1_000, cpuUs: (cpuTimeUs(server.pid) - beganUs) / items };
}

/**
 * Two endpoints that the other benches do not have: one that costs nothing, and one that costs nothing but answers
 * late.
 */
const NOBODY = fileURLToPath(new URL('null-endpoint.mjs', import.meta.url));
const NULL_ENDPOINTS = [0, 10].map((delayMs) => ({
  name: `null-${delayMs}-ms`,
  command: (port) => [process.execPath, NOBODY, port, delayMs],
}));

const names = values.only.split(',');
const { present, absent } = chooseServers(names);
present.push(...NULL_ENDPOINTS.filter(({ name }) => names.includes(name)));
for (const { name, needs } of absent) console.error(`${name} is left out: ${needs} is not there`);

console.log(
  `${items} items of ${ITEM_BYTES} B, ${rounds} rounds; with the start of the command, about a tenth of a second`,
);
for (const each of present) {
  const server = await startServer(each);
  const measured = BATCH_SIZES.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, batchSize] of BATCH_SIZES.entries()) {
      measured[at].push(await runImport(server, `Bench-${batchSize}-${round}`, batchSize));
    }
  }
  await stopServer(server);
  for (const [at, batchSize] of BATCH_SIZES.entries()) {
    const rates = measured[at].map(({ rate }) => rate).sort((a, b) => a - b);
    const cpuUs = medianOf(measured[at].map(({ cpuUs }) => cpuUs));
    const range = `${Math.round(rates[0])} to ${Math.round(rates.at(-1))}`;
    console.log(
      `${each.name.padEnd(18)} ${String(batchSize).padStart(2)} a request: ${String(Math.round(medianOf(rates))).padStart(6)} items/s` +
        ` (${range}), server ${Math.round(cpuUs)} us CPU an item`,
    );
  }
  const [one, many] = measured.map((each) => medianOf(each.map(({ rate }) => rate)));
  console.log(`${each.name.padEnd(18)} ${(many / one).toFixed(1)} times as fast`);
}

function medianOf(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
