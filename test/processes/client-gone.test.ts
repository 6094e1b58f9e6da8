import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { createTable, startServer } from './server-process.ts';

const TableName = 'Things';
const PARTITIONS = 64;
const LATE_MS = 150;
/** What a scan of all partitions takes at least: each is asked for, and answers, over a link that is late. */
const SCAN_MS = PARTITIONS * 2 * LATE_MS;

/** Of `/metrics`, by name and labels. */
async function figuresOf(endpoint: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  return new Map(
    text.split('\n').map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))] as const;
    }),
  );
}

test('a scan whose client has gone stops costing', async () => {
  const server = await startServer(['--port', '0', '--partitions', String(PARTITIONS)]);
  const client = server.client();
  await createTable(client, TableName);
  const nodes = ['node-1', 'node-2', 'node-3'];
  for (const from of nodes) {
    for (const to of nodes) {
      if (from === to) continue;
      const link = `${server.endpoint}/_dynaring/links/${from}/${to}`;
      const body = JSON.stringify({ delayMs: LATE_MS });
      const headers = { 'content-type': 'application/json' };
      expect((await fetch(link, { method: 'PUT', headers, body })).ok).toBe(true);
    }
  }
  const inFlight = async () => (await figuresOf(server.endpoint)).get('dynaring_requests_in_flight');
  const gone = new AbortController();
  const scan = (segment: object) =>
    client.send(new ScanCommand({ TableName, ConsistentRead: true, ...segment }), { abortSignal: gone.signal }).then(
      () => 'answered',
      (error: Error) => error.name,
    );
  const beganMs = performance.now();
  const scans = [scan({}), scan({ Segment: 0, TotalSegments: 2 })];
  await expect.poll(inFlight).toBe(2);
  gone.abort();
  expect(await Promise.all(scans)).toEqual(['AbortError', 'AbortError']);
  await expect.poll(inFlight).toBe(0);
  expect(performance.now() - beganMs).toBeLessThan(SCAN_MS);
  const ended = [...(await figuresOf(server.endpoint))].filter(([name]) =>
    /^dynaring_requests_total\{.*client-gone/.test(name),
  );
  expect(ended).toEqual([['dynaring_requests_total{operation="Scan",status="none",error="client-gone"}', 2]]);
  await server.stop('SIGTERM');
});
