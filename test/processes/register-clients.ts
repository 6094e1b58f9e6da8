import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import type {
  Operation,
  RegisterAnswer,
  RegisterCall,
  RegisterCondition,
  RegisterValue,
} from '../simulation/linearizability.ts';

/** The table whose items are registers; its partition key is the text `id`. */
export const REGISTERS = 'Registers';
export const KEYS = ['a', 'b', 'c', 'd'];
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

/** Calls one operation on a register, once. @throws whatever the client throws */
export async function send(client: DynamoDBClient, key: string, call: RegisterCall): Promise<RegisterAnswer> {
  const Key = { id: { S: key } };
  if (call.kind === 'read') {
    const { Item } = await client.send(new GetItemCommand({ TableName: REGISTERS, Key, ConsistentRead: true }));
    return { kind: 'read', value: registerValue(Item) };
  }
  const parameters = {
    TableName: REGISTERS,
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

/** What the client may conclude from an error. @throws the error, if it is none that a server that is killed explains */
export function answerOf(error: unknown): RegisterAnswer {
  if (error instanceof ConditionalCheckFailedException) return { kind: 'refused', current: registerValue(error.Item) };
  const { code, $metadata } = error as { code?: string; $metadata?: { httpStatusCode?: number } };
  if (code === 'ECONNREFUSED' || $metadata?.httpStatusCode === 503) return { kind: 'not-applied' };
  if (code !== undefined || $metadata?.httpStatusCode === 500) return { kind: 'unknown' };
  // The server was killed between its head and its body.
  if (error instanceof Error && /socket hang up|aborted|terminated/i.test(error.message)) return { kind: 'unknown' };
  throw error;
}

/**
 * Calls at random, mostly on what it last saw, so that conditions are true and false about equally often.
 * @param nextClient asked for each call
 */
export async function contend(
  nextClient: () => DynamoDBClient,
  name: string,
  history: Operation[],
  isOver: () => boolean,
): Promise<void> {
  const seen = new Map<string, RegisterValue>();
  for (let count = 0; !isOver(); count++) {
    const key = KEYS[Math.floor(Math.random() * KEYS.length)]!;
    const call = chooseCall(`${name}-${count}`, seen.get(key) ?? null);
    const calledAt = performance.now();
    const answer = await send(nextClient(), key, call).catch(answerOf);
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

/** Reads all registers, which ends a history. */
export async function readAll(client: DynamoDBClient, history: Operation[]): Promise<void> {
  for (const key of KEYS) {
    const calledAt = performance.now();
    const answer = await send(client, key, { kind: 'read' });
    history.push({ key, calledAt, returnedAt: performance.now(), call: { kind: 'read' }, answer });
  }
}
