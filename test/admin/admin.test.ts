import supertest from 'supertest';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminError } from '../../src/api/fault-rule.ts';
import { createWebServer } from '../../src/web/server.ts';
import { type TracedRing, tracedRing } from '../trace/traced-ring.ts';
import { SIGNED_HEADERS } from '../web/fixtures.ts';

let it: TracedRing;
beforeEach(async () => {
  it = await tracedRing({}, { node: { opLifeMs: 300, phaseTimeoutMs: 50 } });
  await it.trace('PutItem', { Item: { k: { S: 'a' } } });
});
afterEach(() => it.close());

/** Status and field of the AdminError that it ends with. */
async function refusal(act: () => unknown): Promise<[number, string | undefined]> {
  try {
    await act();
  } catch (error) {
    if (error instanceof AdminError) return [error.status, error.field];
    throw error;
  }
  throw new Error('accepted');
}

const stateOf = async (id: string) => (await it.admin.cluster()).nodes.find((node) => node.id === id)?.state;

test('nodes stop and start, pause and resume, and lose their disk', async () => {
  await it.admin.node('node-2', 'stop');
  expect(await stateOf('node-2')).toBe('stopped');
  await it.admin.node('node-2', 'start');
  await it.admin.node('node-1', 'pause');
  expect([await stateOf('node-1'), await stateOf('node-2')]).toEqual(['paused', 'up']);
  await it.admin.node('node-1', 'resume');
  const before = it.ring.describe().nodes[2]!.status!.diskId;
  await it.admin.node('node-3', 'wipe');
  await it.ring.settled();
  expect(it.ring.describe().nodes[2]!.status!.diskId).not.toBe(before);
});

test('what cannot be is refused, and names what is wrong', async () => {
  const { admin } = it;
  expect(await refusal(() => admin.node('node-9', 'stop'))).toEqual([400, 'id']);
  expect(await refusal(() => admin.node('node-1', 'start'))).toEqual([409, 'action']);
  await admin.node('node-1', 'stop');
  expect(await refusal(() => admin.node('node-1', 'stop'))).toEqual([409, 'action']);
  expect(await refusal(() => admin.node('node-1', 'pause'))).toEqual([409, 'action']);
  expect(await refusal(() => admin.setLink('node-9', 'node-1', { cut: true }))).toEqual([400, 'from']);
  expect(await refusal(() => admin.setLink('node-1', 'node-9', { cut: true }))).toEqual([400, 'to']);
  expect(await refusal(() => admin.setLink('node-1', 'node-1', { cut: true }))).toEqual([400, 'to']);
  expect(await refusal(() => admin.setLink('node-1', 'node-2', { delayMs: 1e9 }))).toEqual([400, 'delayMs']);
  expect(await refusal(() => admin.healLink('node-9', 'node-1'))).toEqual([400, 'from']);
  expect(await refusal(() => admin.movePartition(0, ['node-1', 'node-2', 'node-9']))).toEqual([400, 'to']);
  expect(await refusal(() => admin.movePartition(0, ['node-1', 'node-2', 'node-3']))).toEqual([409, undefined]);
  expect(await refusal(() => admin.finalize())).toEqual([409, undefined]);
  expect(await refusal(() => admin.removeFault('fault-2'))).toEqual([404, 'id']);
  expect(await refusal(() => admin.waitUntilConsistent())).toEqual([409, undefined]);
});

test('links break and heal', async () => {
  const { coordinator } = await it.trace('PutItem', { Item: { k: { S: 'a' } } });
  const others = ['node-1', 'node-2', 'node-3'].filter((node) => node !== coordinator);
  for (const other of others) it.admin.setLink(coordinator!, other, { cut: true });
  const cut = await it.trace('PutItem', { Item: { k: { S: 'a' } } });
  expect(cut.events.at(-1)).toMatchObject({ what: 'answered', detail: 'unavailable' });
  for (const other of others) it.admin.healLink(coordinator!, other);
  const healed = await it.trace('PutItem', { Item: { k: { S: 'a' } } });
  expect(healed.events.map(({ detail }) => detail)).toContain('applied');
});

test('the cluster is described: nodes, partitions, home replicas, epochs, loads', async () => {
  const { nodes, partitions, ...rest } = await it.admin.cluster();
  expect(rest).toEqual({
    healthy: true,
    problems: [],
    replication: 3,
    writeQuorum: 2,
    readQuorum: 1,
    movesLeft: 0,
    withoutMajority: [],
  });
  expect(partitions.map(({ partition, epoch }) => [partition, epoch])).toEqual(
    Array.from({ length: 16 }, (_, partition) => [partition, 0]),
  );
  for (const { homes } of partitions) expect([...homes].sort()).toEqual(['node-1', 'node-2', 'node-3']);
  expect(nodes.map(({ partitions: held }) => held)).toEqual([16, 16, 16]);
  expect(nodes.reduce((sum, { leads }) => sum + leads, 0)).toBe(16);
});

test('a key is described: where it lives, and which replica is behind', async () => {
  const key = { k: { S: 'a' } };
  const before = await it.admin.key('things', key);
  expect(before.preferenceList).toHaveLength(3);
  expect(before.replicas.map(({ isBehind }) => isBehind)).toEqual([false, false, false]);
  const last = before.preferenceList[2]!;
  for (const other of before.preferenceList.slice(0, 2)) it.admin.setLink(other, last, { cut: true });
  await it.trace('PutItem', { Item: key });
  const after = await it.admin.key('things', key);
  expect(after.replicas.find(({ isBehind }) => isBehind)?.node).toBe(last);
  await it.admin.node(last, 'stop');
  expect((await it.admin.key('things', key)).replicas.find(({ node }) => node === last)).toEqual({
    node: last,
    isKnown: false,
  });
});

test('repair tells what it did, and nodes count it', async () => {
  const report = await it.admin.repair();
  expect(report).toMatchObject({ partitions: 16 * 3 * 2, recordsRepaired: 0 });
  const counted = it.ring.describe().nodes.map(({ status }) => status!.repaired);
  expect(counted.reduce((sum, { partitions }) => sum + partitions, 0)).toBe(report.partitions);
  expect(counted.reduce((sum, { bytesExchanged }) => sum + bytesExchanged, 0)).toBe(report.bytesExchanged);
});

test('over HTTP: the id of an answer leads to what happened for it', async () => {
  let requests = 0;
  const web = createWebServer({
    execute: it.execute,
    nowMs: () => 0,
    requestId: () => `REQUEST${++requests}`,
    isReady: () => true,
    onInternalError: () => {},
    operator: {
      admin: {
        admin: it.admin,
        readRule: () => {
          throw new AdminError('there are no rules here', 'kind');
        },
      },
      figures: { nodes: () => [], faults: () => [], expiry: () => ({ deleted: 0, scheduled: 0 }), builds: () => [] },
      elapsedMs: () => performance.now(),
      onAction: () => {},
      isApart: false,
    },
  });
  const server = web.createHttpServer();
  await supertest(server).put('/_dynaring/links/node-1/node-2').send({ delayMs: 30 }).expect(200);
  const { headers } = await supertest(server)
    .post('/')
    .set({ ...SIGNED_HEADERS, 'x-amz-target': 'DynamoDB_20120810.PutItem' })
    .send(JSON.stringify({ TableName: 'things', Item: { k: { S: 'a' } } }))
    .expect(200);
  const { body } = await supertest(server).get(`/_dynaring/trace/${headers['x-amzn-requestid']}`).expect(200);
  expect(body).toMatchObject({ operation: 'PutItem', requestId: headers['x-amzn-requestid'] });
  expect(body.events.filter(({ detail }: { detail: string }) => detail === 'accepted').length).toBeGreaterThan(1);
  const key = encodeURIComponent('{"k":{"S":"a"}}');
  const located = await supertest(server).get(`/_dynaring/key?table=things&key=${key}`).expect(200);
  expect(located.body.replicas).toHaveLength(3);
  await supertest(server).get(`/_dynaring/key?table=nothing&key=${key}`).expect(400, {
    error: 'Requested resource not found',
    field: 'table',
  });
  await supertest(server)
    .post('/_dynaring/nodes/node-9/stop')
    .expect(400, { error: 'there is no node node-9', field: 'id' });
});
