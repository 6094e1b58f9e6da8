import supertest from 'supertest';
import { expect, test } from 'vitest';
import { ApiError } from '../../src/api/errors.ts';
import { DROPPED_CONNECTION } from '../../src/web/http-message.ts';
import { renderMetrics } from '../../src/web/metrics.ts';
import { RequestMeter } from '../../src/web/request-meter.ts';
import { adminServer } from './fake-admin.ts';
import { GET_ITEM, SIGNED_HEADERS } from './fixtures.ts';

interface Sample {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly value: number;
}

/** Reads Prometheus's text format 0.0.4, of which each line must be well formed, and each series of a type that is told. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  expect(text.endsWith('\n')).toBe(true);
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      expect(types.has(type[1]!)).toBe(false);
      types.set(type[1]!, type[2]!);
      continue;
    }
    const sample = /^(\w+)(?:\{((?:\w+="[^"\\\n]*",?)*)\})? (-?\d[\d.e+-]*)$/.exec(line);
    expect(sample, line).not.toBeNull();
    const [, name, labels = '', value] = sample!;
    expect(types.has(name!) || types.get(name!.replace(/_(bucket|sum|count)$/, '')) === 'histogram', line).toBe(true);
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text]);
    samples.push({ name: name!, labels: Object.fromEntries(pairs), value: Number(value) });
  }
  return { samples, types };
}

test('metrics tell requests by operation and outcome, and what nodes and rules say of themselves', async () => {
  const { server } = adminServer();
  const ask = (operation: string, body: unknown) =>
    supertest(server)
      .post('/')
      .set({ ...SIGNED_HEADERS, 'x-amz-target': `DynamoDB_20120810.${operation}` })
      .send(JSON.stringify(body));
  await ask('GetItem', GET_ITEM).expect(200);
  await ask('GetItem', GET_ITEM).expect(200);
  await ask('GetItem', {}).expect(400);
  await ask('Nonsense', {}).expect(400);
  const { text } = await supertest(server)
    .get('/metrics')
    .expect(200)
    .expect('content-type', 'text/plain; version=0.0.4; charset=utf-8');

  const { samples, types } = parse(text);
  const of = (name: string, labels: Record<string, string> = {}) =>
    samples
      .filter((each) => each.name === name && Object.entries(labels).every(([label, v]) => each.labels[label] === v))
      .map(({ value }) => value);
  expect(samples.filter(({ name }) => name === 'dynaring_requests_total')).toEqual([
    expect.objectContaining({
      labels: { operation: 'GetItem', status: '4xx', error: 'ValidationException' },
      value: 1,
    }),
    expect.objectContaining({ labels: { operation: 'GetItem', status: '2xx', error: '' }, value: 2 }),
    expect.objectContaining({
      labels: { operation: 'unknown', status: '4xx', error: 'UnknownOperationException' },
      value: 1,
    }),
  ]);
  expect(of('dynaring_received_bytes_total', { operation: 'GetItem' })).toEqual([
    JSON.stringify(GET_ITEM).length * 2 + 2,
  ]);
  expect(of('dynaring_sent_bytes_total', { operation: 'GetItem' })[0]).toBeGreaterThan(4);
  expect(of('dynaring_requests_in_flight')).toEqual([0]);
  // Each took 3 ms.
  const bucket = (le: string) => of('dynaring_request_duration_seconds_bucket', { operation: 'GetItem', le })[0];
  expect([bucket('0.0025'), bucket('0.005'), bucket('10'), bucket('+Inf')]).toEqual([0, 3, 3, 3]);
  expect(of('dynaring_request_duration_seconds_count', { operation: 'GetItem' })).toEqual([3]);
  expect(of('dynaring_request_duration_seconds_sum', { operation: 'GetItem' })[0]).toBeCloseTo(0.009);
  expect(of('dynaring_node_hints', { node: 'node-1' })).toEqual([7]);
  expect(of('dynaring_node_items_owed')).toEqual([3]);
  expect(of('dynaring_node_items_settling')).toEqual([2]);
  expect(of('dynaring_node_entries_confirmed_total')).toEqual([8]);
  expect(of('dynaring_node_propagations_held')).toEqual([1]);
  expect(of('dynaring_node_records_repaired_total')).toEqual([4]);
  expect(of('dynaring_node_damaged_keys')).toEqual([7]);
  expect(of('dynaring_node_damaged_records_restored_total')).toEqual([9]);
  expect(of('dynaring_node_records_scrubbed_total')).toEqual([13]);
  expect(of('dynaring_node_state', { node: 'node-2', state: 'stopped' })).toEqual([1]);
  expect(of('dynaring_node_state', { node: 'node-2', state: 'up' })).toEqual([0]);
  expect(of('dynaring_fault_rule_fired_total', { rule: 'fault-1', kind: 'error' })).toEqual([9]);
  for (const [name, type] of types) expect(type === 'counter', name).toBe(name.endsWith('_total'));
});

test('asking again counts what came meanwhile, and nothing twice', async () => {
  const { server } = adminServer();
  const count = async () => {
    const { text } = await supertest(server).get('/metrics').expect(200);
    return parse(text).samples.filter(({ name }) => name === 'dynaring_requests_total');
  };
  expect(await count()).toEqual([]);
  const get = () =>
    supertest(server)
      .post('/')
      .set({ ...SIGNED_HEADERS, 'x-amz-target': 'DynamoDB_20120810.GetItem' })
      .send(JSON.stringify(GET_ITEM))
      .expect(200);
  await get();
  expect((await count()).map(({ value }) => value)).toEqual([1]);
  await get();
  expect((await count()).map(({ value }) => value)).toEqual([2]);
});

test('a request that is shed before it is handled is counted, too', async () => {
  const { server } = adminServer({ limits: { maxRequestsInFlight: 0 } });
  await supertest(server)
    .post('/')
    .set({ ...SIGNED_HEADERS, 'x-amz-target': 'DynamoDB_20120810.GetItem' })
    .send(JSON.stringify(GET_ITEM))
    .expect(503);
  const { text } = await supertest(server).get('/metrics').expect(200);
  expect(parse(text).samples).toContainEqual({
    name: 'dynaring_requests_total',
    labels: { operation: 'GetItem', status: '5xx', error: ApiError.serviceUnavailable().name },
    value: 1,
  });
});

test('a dropped connection has no status', async () => {
  const meter = new RequestMeter(() => 0);
  meter.end('DynamoDB_20120810.PutItem', 0, DROPPED_CONNECTION, meter.begin());
  const { text } = await renderMetrics({
    requests: () => meter.tallies(),
    requestsInFlight: () => 0,
    nodes: () => [],
    faults: () => [],
    expiry: () => ({ deleted: 0, scheduled: 0 }),
    builds: () => [],
  });
  expect(parse(text).samples).toContainEqual({
    name: 'dynaring_requests_total',
    labels: { operation: 'PutItem', status: 'none', error: 'dropped-connection' },
    value: 1,
  });
});

test('however many kinds of errors there are, the series stay few', () => {
  const meter = new RequestMeter(() => 0);
  for (let i = 0; i < 1000; i++) {
    meter.end('', 0, { status: 400, headers: [], body: new Uint8Array(0), error: `Error${i}` }, meter.begin());
  }
  const [tally] = meter.tallies();
  expect(tally!.operation).toBe('unknown');
  expect(tally!.outcomes.size).toBeLessThan(70);
  expect([...tally!.outcomes.values()].reduce((a, b) => a + b)).toBe(1000);
});
