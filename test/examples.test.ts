import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Dynaring, startDynaring } from '../src/index.ts';

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
