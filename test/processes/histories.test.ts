import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import {
  checkLinearizability,
  type Operation,
  type RegisterAnswer,
  type RegisterCall,
  type RegisterCondition,
  type RegisterValue,
} from '../simulation/linearizability.ts';
import { clientOf, createTable, startServer } from './server-process.ts';

const TABLE = 'Registers';
const CLIENTS = 8;
const KEYS = ['a', 'b', 'c', 'd'];
/** How long clients contend before each kill, and after the last. */
const PHASES_MS = [900, 900, 900, 500];
/** A client whose server is down waits this long before it calls again. */
const DOWN_PAUSE_MS = 5;

type Attributes = { value?: { S?: string } } | undefined;

const registerValue = (item: Attributes): RegisterValue => item?.value?.S ?? null;

/** The condition in the words of the API. */
function conditionParameters(condition: RegisterCondition | undefined) {
  switch (condition?.kind) {
    case undefined:
      return {};
    case 'exists':
      return { ConditionExpression: 'attribute_exists(id)' };
    case 'absent':
      return { ConditionExpression: 'attribute_not_exists(id)' };
    case 'equals':
      return {
        ConditionExpression: '#value = :expected',
        ExpressionAttributeNames: { '#value': 'value' },
        ExpressionAttributeValues: { ':expected': { S: condition.value } },
      };
  }
}

async function send(client: DynamoDBClient, key: string, call: RegisterCall): Promise<RegisterAnswer> {
  const Key = { id: { S: key } };
  if (call.kind === 'read') {
    const { Item } = await client.send(new GetItemCommand({ TableName: TABLE, Key, ConsistentRead: true }));
    return { kind: 'read', value: registerValue(Item) };
  }
  const parameters = {
    TableName: TABLE,
    ...conditionParameters(call.condition),
    ReturnValues: 'ALL_OLD',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  } as const;
  const { Attributes } =
    call.kind === 'put'
      ? await client.send(new PutItemCommand({ ...parameters, Item: { ...Key, value: { S: call.value } } }))
      : await client.send(new DeleteItemCommand({ ...parameters, Key }));
  return { kind: 'applied', old: registerValue(Attributes) };
}

/** What the client may conclude from an error. */
function answerOf(error: unknown): RegisterAnswer {
  if (error instanceof ConditionalCheckFailedException) return { kind: 'refused', current: registerValue(error.Item) };
  const { code, $metadata } = error as { code?: string; $metadata?: { httpStatusCode?: number } };
  if (code === 'ECONNREFUSED' || $metadata?.httpStatusCode === 503) return { kind: 'not-applied' };
  if (code !== undefined || $metadata?.httpStatusCode === 500) return { kind: 'unknown' };
  // The server was killed between its head and its body.
  if (error instanceof Error && /socket hang up|aborted|terminated/i.test(error.message)) return { kind: 'unknown' };
  throw error;
}

/** Calls at random, mostly on what it last saw, so that conditions are true and false about equally often. */
async function contend(
  client: DynamoDBClient,
  name: string,
  history: Operation[],
  isOver: () => boolean,
): Promise<void> {
  const seen = new Map<string, RegisterValue>();
  for (let count = 0; !isOver(); count++) {
    const key = KEYS[Math.floor(Math.random() * KEYS.length)]!;
    const call = chooseCall(`${name}-${count}`, seen.get(key) ?? null);
    const calledAt = performance.now();
    const answer = await send(client, key, call).catch(answerOf);
    history.push({ key, calledAt, returnedAt: performance.now(), call, answer });
    if (answer.kind === 'read') seen.set(key, answer.value);
    if (answer.kind === 'refused') seen.set(key, answer.current ?? null);
    if (answer.kind === 'applied') seen.set(key, call.kind === 'put' ? call.value : null);
    if (answer.kind === 'not-applied' || answer.kind === 'unknown') await sleep(DOWN_PAUSE_MS);
  }
}

function chooseCall(value: string, seen: RegisterValue): RegisterCall {
  const condition: RegisterCondition = seen === null ? { kind: 'absent' } : { kind: 'equals', value: seen };
  const dice = Math.random();
  if (dice < 0.3) return { kind: 'read' };
  if (dice < 0.5) return { kind: 'put', value };
  if (dice < 0.85) return { kind: 'put', value, condition };
  if (dice < 0.92) return { kind: 'delete' };
  return { kind: 'delete', condition: { kind: 'exists' } };
}

test.each(['process', 'disk'])(
  'clients that contend while the server is killed see one history (durability %s)',
  async (durability) => {
    const options = ['--data-dir', temporaryDirectory(), '--durability', durability];
    let server = await startServer(options);
    const { endpoint } = server;
    await createTable(clientOf(endpoint), TABLE);
    const history: Operation[] = [];
    let isOver = false;
    const clients = Array.from({ length: CLIENTS }, (_, index) =>
      contend(clientOf(endpoint), `client-${index}`, history, () => isOver),
    );
    for (const [phase, durationMs] of PHASES_MS.entries()) {
      if (phase > 0) {
        await server.stop('SIGKILL');
        server = await startServer([...options, '--port', String(server.port)]);
      }
      await sleep(durationMs);
    }
    isOver = true;
    await Promise.all(clients);
    for (const key of KEYS) {
      const calledAt = performance.now();
      const answer = await send(clientOf(endpoint), key, { kind: 'read' });
      history.push({ key, calledAt, returnedAt: performance.now(), call: { kind: 'read' }, answer });
    }

    expect(checkLinearizability(history)).toEqual({ kind: 'linearizable' });
    const kinds = new Set(history.map(({ answer }) => answer.kind));
    expect([...kinds].sort()).toEqual(['applied', 'not-applied', 'read', 'refused', 'unknown']);
  },
);
