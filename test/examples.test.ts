import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Dynaring, startDynaring } from '../src/index.ts';

/** An example that shows a bug takes a tenth of a second or two; this is for a machine that does much else. */
const BUSY_MACHINE_MS = 5_000;

let dynaring: Dynaring;
beforeAll(async () => {
  dynaring = await startDynaring({ port: 0 });
});
afterAll(() => dynaring.stop());

/** Starts an example against the server; `text` is what it printed. Warnings of the SDK about Node go elsewhere. */
function startExample(name: string, env: Record<string, string> = {}): ChildProcess & { text: () => string } {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../examples/${name}`, import.meta.url))], {
    env: { PATH: process.env.PATH, AWS_ENDPOINT_URL_DYNAMODB: dynaring.endpoint, ...env },
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  return Object.assign(child, { text: () => text });
}

test('sdk.mjs shows a conditional put refused and an old value returned', async () => {
  const example = startExample('sdk.mjs');
  const [status] = await once(example, 'close');
  expect(example.text().trimEnd().split('\n')).toEqual([
    'created table Music',
    'put the song of 1999',
    'conditional put refused: The conditional request failed',
    'replaced; the old year was 1999',
    expect.stringMatching(/^got .*"Year":\{"N":"2001"\}/),
    'deleted; now there is no item',
  ]);
  expect(status).toBe(0);
});

test('query.mjs shows a range of a table and the pages of an index', async () => {
  const example = startExample('query.mjs');
  const [status] = await once(example, 'close');
  expect(example.text().trimEnd().split('\n')).toEqual([
    'of ann in February, newest first: ann 2026-02-21, ann 2026-02-03',
    'open, 3 on this page: ann 2026-01-07, ann 2026-02-03, bob 2026-02-14',
    'open, 2 on this page: ann 2026-02-21, bob 2026-03-01',
  ]);
  expect(status).toBe(0);
});

test('shopping-cart.mjs loses no item that several shoppers add at once', async () => {
  const example = startExample('shopping-cart.mjs', { PORT: '0' });
  await once(example.stdout!, 'data');
  const carts = `${/http:\S+/.exec(example.text())![0]}/carts/ann`;
  const change = async (method: string, item: string) => {
    const answer = await fetch(`${carts}/${item}`, { method });
    expect(answer.status).toBe(200);
  };
  await Promise.all([
    ...Array.from({ length: 8 }, () => change('POST', 'book')),
    ...Array.from({ length: 4 }, () => change('POST', '__proto__')),
  ]);
  await change('DELETE', 'book');
  const cart = await (await fetch(carts)).text();
  expect(JSON.parse(cart).version).toBe(13);
  expect(cart).toContain('"book":{"N":"7"}');
  expect(cart).toContain('"__proto__":{"N":"4"}');
});

test('the program on the first screen of the README prints what stands below it', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, program, printed] = /```js\n([\s\S]*?)```\n\n```\n([\s\S]*?)```/.exec(readme)!;
  const args = ['--input-type=module', '--eval', program!];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: new URL('..', import.meta.url) });
  expect(stdout).toBe(printed);
});

test('the rules in the guides are taken', () => {
  const error = 'ProvisionedThroughputExceededException';
  const guides = ['faults', 'tests'].map((name) => new URL(`../docs/guide/${name}.md`, import.meta.url));
  const text = guides.map((guide) => readFileSync(guide, 'utf8')).join('\n');
  const rules = [...text.matchAll(/faults\.add\((\{.*\})\)/g)].map(([, rule]) =>
    runInNewContext(`(${rule})`, { error }),
  );
  expect(rules).toHaveLength(10);
  for (const rule of rules) dynaring.faults.add({ ...rule });
  expect(dynaring.faults.list().map(({ rule }) => rule)).toMatchObject(rules);
  dynaring.faults.clear();
});

describe('a bug that a calm server does not show', () => {
  /** Of an example that starts a server of its own: its lines by their first word, and how long it took. */
  async function runBug(name: string): Promise<Record<string, string>> {
    const example = startExample(name);
    const [status] = await once(example, 'close');
    const lines = example.text().trimEnd().split('\n');
    const { took, ...shown } = Object.fromEntries(lines.map((line) => line.split(/:? +(.*)/)));
    expect(status, example.text()).toBe(0);
    expect(Number.parseInt(took, 10)).toBeLessThan(BUSY_MACHINE_MS);
    return shown;
  }

  test('a stale read after a write', async () => {
    expect(await runBug('stale-read.mjs')).toEqual({
      calm: 'put paid, read paid',
      bug: 'put paid, read open',
      fix: 'put paid, read paid',
    });
  });

  test('an index that is behind', async () => {
    expect(await runBug('stale-index.mjs')).toEqual({
      calm: 'did a, then nothing',
      bug: 'did b, then b',
      fix: 'did c, then nothing',
    });
  });

  test('a lost update by read and put', async () => {
    expect(await runBug('lost-update.mjs')).toEqual({
      calm: '8 left after two sales',
      bug: '9 left after two sales, 9 after two at once',
      fix: '8 left after two sales, 8 after two at once',
    });
  });

  test('a conditional put that the SDK sent again', async () => {
    expect(await runBug('retried-conditional-put.mjs')).toEqual({
      calm: 'ann is registered, ann again is taken',
      bug: 'bob is taken',
      fix: 'eve is registered, eve again is taken',
    });
  });

  test('a throttle without another try', async () => {
    expect(await runBug('unretried-throttle.mjs')).toEqual({
      calm: '10 of 10 songs are there',
      bug: '9 of 10 songs are there',
      fix: '10 of 10 songs are there',
    });
  });

  test('a hot partition', async () => {
    expect(await runBug('hot-partition.mjs')).toEqual({
      calm: 'all 30 events taken',
      bug: expect.stringMatching(/^\d+ of 30 refused: ThrottlingException, TableWriteKeyRangeThroughputExceeded$/),
      fix: 'all 30 events taken',
    });
  });

  test('a session that has expired', async () => {
    expect(await runBug('expired-session.mjs')).toEqual({
      calm: 'two hours later ann is logged out',
      bug: 'two hours later ann is logged in',
      fix: 'two hours later ann is logged out',
    });
  });

  test('a transaction that is lost to a conflict', async () => {
    expect(await runBug('lost-transaction.mjs')).toEqual({
      calm: 'paid; then ann and bob have 6 and 14',
      bug: 'not enough; then ann and bob have 6 and 14',
      fix: 'paid, not enough; then ann and bob have 2 and 18',
    });
  });

  test('a consumer of a stream that counts twice', async () => {
    expect(await runBug('counts-twice.mjs')).toEqual({ calm: '5 orders', bug: '10 orders', fix: '5 orders' });
  });

  test('is shown, with its fix, in under 60 lines', () => {
    const folder = new URL('../examples/', import.meta.url);
    const texts = readdirSync(folder)
      .filter((name) => name.endsWith('.mjs'))
      .map((name) => readFileSync(new URL(name, folder), 'utf8'))
      .filter((text) => text.includes("from 'dynaring'"));
    expect(texts).toHaveLength(9);
    for (const text of texts) expect(text.trimEnd().split('\n').length).toBeLessThan(60);
  });
});
