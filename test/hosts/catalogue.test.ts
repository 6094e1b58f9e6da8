import {
  DeleteTableCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ResourceInUseException,
  ResourceNotFoundException,
} from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { freePorts } from '../parts/free-ports.ts';
import { answerOf } from '../processes/register-clients.ts';
import { clientOf, createTable } from '../processes/server-process.ts';
import { type Answer, type Call, isExplained, type Step } from './catalogue-history.ts';
import { foundCluster } from './host-cluster.ts';
import { beginPeer } from './peer-process.ts';
import { SlowLink } from './slow-links.ts';

const ROUNDS = 20;
/** In this round a node is killed; it is back some rounds later. */
const KILLED_IN = 10;
const BACK_BEFORE = 14;
const CLIENTS = 5;
const CALLS = 8;
const KEYS = ['x', 'y'];

async function perform(client: DynamoDBClient, TableName: string, call: Call): Promise<Answer> {
  switch (call.kind) {
    case 'create':
      await createTable(client, TableName);
      return { kind: 'done' };
    case 'delete':
      await client.send(new DeleteTableCommand({ TableName }));
      return { kind: 'done' };
    case 'put':
      await client.send(new PutItemCommand({ TableName, Item: { id: { S: call.key }, value: { S: call.value } } }));
      return { kind: 'done' };
    case 'get': {
      const get = new GetItemCommand({ TableName, Key: { id: { S: call.key } }, ConsistentRead: true });
      return { kind: 'done', value: (await client.send(get)).Item?.value?.S ?? '-' };
    }
  }
}

/** @returns undefined if nothing has happened */
function answerTo(error: unknown): Answer | undefined {
  if (error instanceof ResourceInUseException || error instanceof ResourceNotFoundException) return { kind: 'refused' };
  return answerOf(error).kind === 'not-applied' ? undefined : { kind: 'unknown' };
}

function chooseCall(value: string): Call {
  const key = KEYS[Math.floor(Math.random() * KEYS.length)]!;
  const dice = Math.random();
  if (dice < 0.25) return { kind: 'create' };
  if (dice < 0.4) return { kind: 'delete' };
  if (dice < 0.7) return { kind: 'put', key, value };
  return { kind: 'get', key };
}

/** Clients that do as they like with one table, each by way of another process. */
async function race(clients: readonly DynamoDBClient[], table: string): Promise<readonly Step[]> {
  const history: Step[] = [];
  const run = async (client: string, at: number) => {
    for (let count = 0; count < CALLS; count++) {
      const call = chooseCall(`${client}-${count}`);
      const calledAt = performance.now();
      const asked = clients[(at + count) % clients.length]!;
      const answer = await perform(asked, table, call).catch(answerTo);
      if (answer !== undefined) history.push({ client, call, answer, calledAt, returnedAt: performance.now() });
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, at) => run(`client-${at}`, at)));
  return history;
}

/** Fronts to which nobody can tell anything in time: what they have at hand of a table is often of one that is gone. */
async function lateFronts(meeting: string): Promise<readonly DynamoDBClient[]> {
  const ports = await freePorts(4);
  const clients: DynamoDBClient[] = [];
  for (const at of [0, 1]) {
    const [port, door] = [ports[at]!, ports[at + 2]!];
    const link = await SlowLink.before(door, port);
    link.slowness = { delayMs: 800, lostPercent: 0, lossMs: 0 };
    const args = ['--role', 'front', '--join', meeting, '--peer-address', `127.0.0.1:${door}`];
    clients.push(clientOf(await beginPeer(`front-${at}`, args, { peerPort: String(port) }).ready()));
  }
  return clients;
}

test('clients of several processes that create, delete, fill and read one table at once see one order of it, whoever is killed', async () => {
  const cluster = await foundCluster(['a', 'b', 'c']);
  const fronts = await lateFronts(await cluster.nodes[0]!.process.peerAddress());
  const clients = [...cluster.clients.slice(0, 2), ...fronts];
  let refusals = 0;
  for (let round = 0; round < ROUNDS; round++) {
    if (round === BACK_BEFORE) await cluster.nodes[1]!.restart();
    const racing = race(clients, `Table-${round}`);
    if (round === KILLED_IN) await cluster.nodes[1]!.process.stop('SIGKILL');
    const history = await racing;
    refusals += history.filter(({ answer }) => answer.kind === 'refused').length;
    const told = history.map(({ client, call, answer, calledAt, returnedAt }) => {
      return `${calledAt.toFixed(1)} ${returnedAt.toFixed(1)} ${client} ${JSON.stringify([call, answer])}`;
    });
    expect(isExplained(history), told.join('\n')).toBe(true);
  }
  expect(refusals).toBeGreaterThan(ROUNDS);
});

const step = (at: number, call: Call, answer: Answer = { kind: 'done' }): Step => {
  return { client: 'c', call, answer, calledAt: at, returnedAt: at + 0.5 };
};
const PUT: Call = { kind: 'put', key: 'x', value: '1' };
const GET: Call = { kind: 'get', key: 'x' };

test.each<[string, readonly Step[]]>([
  ['a put into a table that is gone', [step(1, { kind: 'create' }), step(2, { kind: 'delete' }), step(3, PUT)]],
  ['a table that was made and is not found', [step(1, { kind: 'create' }), step(2, PUT, { kind: 'refused' })]],
  ['an item that is lost', [step(1, { kind: 'create' }), step(2, PUT), step(3, GET, { kind: 'done', value: '-' })]],
  [
    'an item of the table before',
    [
      step(1, { kind: 'create' }),
      step(2, PUT),
      step(3, { kind: 'delete' }),
      step(4, { kind: 'create' }),
      step(5, GET, { kind: 'done', value: '1' }),
    ],
  ],
])('%s is no history of a table', (_name, history) => {
  expect(isExplained(history)).toBe(false);
  expect(isExplained(history.slice(0, -1))).toBe(true);
});
