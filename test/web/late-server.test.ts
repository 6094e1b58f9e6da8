import { expect, test } from 'vitest';
import { LateServer } from '../../src/web/late-server.ts';
import { listen } from '../../src/web/listen.ts';
import { GET_ITEM } from './fixtures.ts';
import { closers, headers, webServer } from './web-server.ts';

async function startLate() {
  const options = { nowMs: () => 0, requestId: () => 'R', onInternalError: () => {} };
  const late = new LateServer(options, () => performance.now());
  const listening = await listen(late, ['127.0.0.1'], 0);
  closers.push(() => listening.close(Promise.resolve()));
  const endpoint = `http://127.0.0.1:${listening.addresses[0]!.port}`;
  return { late, endpoint };
}

const getItem = (endpoint: string) => fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(GET_ITEM) });

test('a server that has nothing to serve yet listens, and answers 503; then one takes its place on the same port', async () => {
  const { late, endpoint } = await startLate();
  const waiting = await fetch(`${endpoint}/health`);
  expect([waiting.status, await waiting.text()]).toEqual([503, 'starting\n']);
  expect((await getItem(endpoint)).status).toBeGreaterThanOrEqual(500);

  late.serve(webServer(async () => ({ Item: { id: { S: 'a' } } })));
  expect((await fetch(`${endpoint}/health`)).status).toBe(200);
  const answer = await getItem(endpoint);
  expect([answer.status, await answer.json()]).toEqual([200, { Item: { id: { S: 'a' } } }]);
});

test('a server that stops says so to those who look at its health, and serves what still comes', async () => {
  const { late, endpoint } = await startLate();
  late.serve(webServer(async () => ({}), {}, { isHealthy: () => false }));
  const health = await fetch(`${endpoint}/health`);
  expect([health.status, await health.text()]).toEqual([503, 'stopping\n']);
  expect((await getItem(endpoint)).status).toBe(200);
});
