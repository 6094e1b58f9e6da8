import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocument } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Dynaring, startDynaring } from '../src/index.ts';
import { BrowserPage, findBrowser } from './parts/browser.ts';
import { createTable, keysOf } from './parts/tables.ts';

/**
 * Programs of others that the guides name, as npm has them. They are fetched here and are no dependencies, so that
 * `npm ci` stays small. Their authors' versions as of October 2026.
 */
const PACKAGES = ['@shelf/jest-dynamodb@4.0.2', 'dynamodb-admin@5.3.3'];

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FETCHING_MS = 180_000;

/** Without a registry, npm asks again and again for minutes. */
function hasRegistry(): boolean {
  try {
    execFileSync('npm', ['view', PACKAGES[0]!, 'version', '--fetch-retries=0'], { timeout: 20_000, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

// In `.ci/run` there has to be one.
const browser = findBrowser();
const isRun = process.env.DYNARING_TEST_ALL === '1' || hasRegistry();

describe.runIf(isRun)(isRun ? 'packages from npm' : 'packages from npm, which reaches no registry here', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dynaring-npm-'));
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock', '--loglevel=error'];
    await promisify(execFile)('npm', ['install', ...quiet, ...PACKAGES], { cwd: folder });
    symlinkSync(ROOT, join(folder, 'node_modules/dynaring'));
  }, FETCHING_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('jest-dynamodb takes Dynaring in the place of DynamoDB Local', async () => {
    const recipe = join(folder, 'jest-dynamodb');
    cpSync(join(ROOT, 'examples/recipes/jest-dynamodb'), recipe, { recursive: true });
    expect(await runJest(recipe)).toMatchObject({ success: true, numPassedTests: 1, numTotalTests: 1 });
  });

  // Its own set-up asks GET / and leaves the answer unread: a connection that were kept would keep Jest for 75 s.
  test('jest-dynamodb finds a server that runs already, and ends', async () => {
    await using db: Dynaring = await startDynaring({ logLevel: 'silent' });
    const recipe = join(folder, 'jest-dynamodb-alone');
    cpSync(join(ROOT, 'examples/recipes/jest-dynamodb'), recipe, { recursive: true });
    const config = { preset: '@shelf/jest-dynamodb', testMatch: ['**/*.test.cjs'], transform: {} };
    writeFileSync(join(recipe, 'jest.config.cjs'), `module.exports = ${JSON.stringify(config)};`);
    const env = { AWS_ENDPOINT_URL_DYNAMODB: db.endpoint, JEST_DYNAMODB_CONFIG: join(recipe, 'tables.cjs') };
    expect(await runJest(recipe, env)).toMatchObject({ success: true, numPassedTests: 1, numTotalTests: 1 });
    // It has deleted its tables.
    expect((await db.snapshot()).tables).toEqual([]);
  });

  test('dynamodb-admin lists the tables, and shows, changes and removes items', async () => {
    await using db: Dynaring = await startDynaring({ logLevel: 'silent' });
    await db.seed(join(ROOT, 'examples/orders.json'));
    const { ask } = await startDynamodbAdmin(folder, db.endpoint);
    const items = async () => (JSON.parse(await ask('GET', '/tables/Orders/items')) as { Items: object[] }).Items;
    expect(await ask('GET', '/')).toContain('Orders');
    expect(await ask('GET', '/tables/Orders/meta')).toContain('PAY_PER_REQUEST');
    expect(await items()).toMatchObject([{ id: '7', state: 'open' }]);
    await ask('PUT', '/tables/Orders/add-item', { id: '8', state: 'new' });
    await ask('PUT', '/tables/Orders/items/7', { id: '7', state: 'paid' });
    expect(await items()).toHaveLength(2);
    await ask('DELETE', '/tables/Orders/items/8');
    expect(await items()).toMatchObject([{ id: '7', state: 'paid' }]);
  });

  const withBrowser = browser === undefined ? ', which needs a Chromium that is not here' : '';
  test.runIf(browser !== undefined)(`dynamodb-admin's page queries a table and its index${withBrowser}`, async () => {
    await using db: Dynaring = await startDynaring();
    await createReadings(db);
    const { origin } = await startDynamodbAdmin(folder, db.endpoint);
    const page = await BrowserPage.open(browser!);
    onTestFinished(() => page.close());
    const found = () => page.evaluate(FOUND);

    await page.goto(`${origin}/tables/Readings`);
    await expect.poll(found).toHaveLength(12);
    await page.evaluate(choose('operationType', 'query'));
    await page.evaluate(fill('sensor', '=', 'attic'));
    await page.evaluate(fill('at', 'begins_with', '2026-01-0'));
    await search(page);
    await expect.poll(found).toEqual(['attic 2026-01-01', 'attic 2026-01-02', 'attic 2026-01-03']);

    await page.goto(`${origin}/tables/Readings`);
    await page.evaluate(choose('queryableSelection', 'byRoom'));
    await page.evaluate(choose('operationType', 'query'));
    await page.evaluate(fill('room', '=', 'north'));
    await page.evaluate(fill('at', '<', '2026-01-03'));
    await search(page);
    // Which of two sensors comes first on a day is not said.
    await expect.poll(found).toEqual(['01', '01', '02', '02'].map((day) => expect.stringMatching(`2026-01-${day}`)));
  });
});

/** Two sensors with six readings each, in a table with an index by room. */
async function createReadings(db: Dynaring): Promise<void> {
  const client = new DynamoDBClient(db.clientConfig());
  const key = keysOf('sensor', 'at');
  await createTable(client, 'Readings', {
    ...key,
    AttributeDefinitions: [...key.AttributeDefinitions, { AttributeName: 'room', AttributeType: 'S' }],
    GlobalSecondaryIndexes: [
      { IndexName: 'byRoom', KeySchema: keysOf('room', 'at').KeySchema, Projection: { ProjectionType: 'ALL' } },
    ],
  });
  const documents = DynamoDBDocument.from(client);
  for (const sensor of ['attic', 'cellar']) {
    for (const day of ['01', '02', '03', '11', '12', '13']) {
      const Item = { sensor, at: `2026-01-${day}`, room: day < '10' ? 'north' : 'south' };
      await documents.put({ TableName: 'Readings', Item });
    }
  }
  client.destroy();
}

/** The sensor and the day in each row that dynamodb-admin shows, whatever the order of the columns. */
const FOUND = `[...document.querySelectorAll('#items-container tr')].map((row) =>
  /attic|cellar/.exec(row.textContent) + ' ' + /2026-01-../.exec(row.textContent))`;

/** Chooses in a list of the search form, as a user does. */
const choose = (name: string, value: string) => `{
  const list = document.querySelector('select[name="${name}"]');
  list.value = '${value}';
  list.dispatchEvent(new Event('change'));
}`;

/** Fills the row that the form has made for an attribute of the key. */
const fill = (key: string, operator: string, value: string) => `{
  const row = [...document.querySelectorAll('#filters-table tr')]
    .find((each) => each.querySelector('.filter-row-key').value === '${key}');
  row.querySelector('.filter-row-operator').value = '${operator}';
  row.querySelector('.filter-row-value').value = '${value}';
}`;

async function search(page: BrowserPage): Promise<void> {
  const loaded = page.loaded();
  await page.evaluate(`document.querySelector('#form button[type=submit]').click()`);
  await loaded;
}

/** @returns Jest's report of a folder, within 25 s */
async function runJest(cwd: string, env: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const jest = [join(ROOT, 'node_modules/jest/bin/jest.js'), '--json'];
  const options = { cwd, env: { PATH: process.env.PATH, ...env }, timeout: 25_000 };
  const { stdout } = await promisify(execFile)(process.execPath, jest, options);
  return JSON.parse(stdout);
}

/** @returns where it is, and what asks it for a page, as its own pages do */
async function startDynamodbAdmin(folder: string, endpoint: string) {
  const script = join(folder, 'node_modules/dynamodb-admin/dist/dynamodb-admin.js');
  const args = [script, '--host', '127.0.0.1', '--port', '0', '--dynamo-endpoint', endpoint];
  const child: ChildProcess = spawn(process.execPath, args, { env: { PATH: process.env.PATH } });
  onTestFinished(() => {
    child.kill();
  });
  let told = '';
  const origin = await new Promise<string>((resolve, reject) => {
    child.once('close', () => reject(new Error(told)));
    child.stderr!.on('data', (text) => {
      told += text;
    });
    child.stdout!.on('data', (text) => {
      told += text;
      const port = /listening on http:\/\/.*?:(\d+)/.exec(told)?.[1];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
  });
  const ask = async (method: string, path: string, json?: object) => {
    const body = json && { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } };
    const answer = await fetch(origin + path, { method, ...body });
    expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true);
    return answer.text();
  };
  return { origin, ask };
}
