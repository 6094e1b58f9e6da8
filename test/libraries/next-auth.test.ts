import { DynamoDBClient, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocument } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { createTable, keysOf } from '../parts/tables.ts';

/** Auth.js (next-auth) keeps its users, accounts and sessions in one table with one index, made as its guide says. */

// Not a literal: its types import those of browsers, which would then be known in all of the project.
const MODULE: string = '@auth/dynamodb-adapter';

interface User {
  readonly id: string;
  readonly name?: string;
  readonly email: string;
  readonly emailVerified: Date | null;
  readonly image?: string | null;
}
interface Account {
  readonly provider: string;
  readonly providerAccountId: string;
}
interface Session {
  readonly sessionToken: string;
  readonly userId: string;
  readonly expires: Date;
}
interface Token {
  readonly identifier: string;
  readonly token: string;
}
/** What Auth.js calls. */
interface Adapter {
  createUser(user: User): Promise<User>;
  getUser(id: string): Promise<User | null>;
  getUserByEmail(email: string): Promise<User | null>;
  getUserByAccount(account: Account): Promise<User | null>;
  updateUser(user: Partial<User>): Promise<User>;
  deleteUser(id: string): Promise<User>;
  linkAccount(account: Account & { userId: string; type: string; access_token?: string }): Promise<unknown>;
  unlinkAccount(account: Account): Promise<unknown>;
  createSession(session: Session): Promise<Session>;
  getSessionAndUser(sessionToken: string): Promise<{ session: Session; user: User } | null>;
  updateSession(session: Partial<Session>): Promise<Session>;
  deleteSession(sessionToken: string): Promise<unknown>;
  createVerificationToken(token: Token & { expires: Date }): Promise<unknown>;
  useVerificationToken(token: Token): Promise<unknown>;
}

let db: Dynaring;
let client: DynamoDBDocument;
let adapter: Adapter;

beforeAll(async () => {
  db = await startDynaring();
  const base = new DynamoDBClient(db.clientConfig());
  client = DynamoDBDocument.from(base, {
    marshallOptions: { convertEmptyValues: true, removeUndefinedValues: true, convertClassInstanceToMap: true },
  });
  const table = keysOf('pk', 'sk');
  const index = keysOf('GSI1PK', 'GSI1SK');
  await createTable(base, 'next-auth', {
    ...table,
    AttributeDefinitions: [...table.AttributeDefinitions, ...index.AttributeDefinitions],
    GlobalSecondaryIndexes: [{ IndexName: 'GSI1', KeySchema: index.KeySchema, Projection: { ProjectionType: 'ALL' } }],
  });
  const TimeToLiveSpecification = { AttributeName: 'expires', Enabled: true };
  await base.send(new UpdateTimeToLiveCommand({ TableName: 'next-auth', TimeToLiveSpecification }));
  adapter = (await import(MODULE)).DynamoDBAdapter(client);
});
afterAll(async () => {
  client?.destroy();
  await db?.stop();
});

const newUser = (email: string) =>
  adapter.createUser({ id: '', name: 'Ada', email, emailVerified: new Date('2026-01-02T03:04:05.678Z'), image: null });
const inAnHour = () => new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000);

test('a user is found by id and by e-mail, and changed', async () => {
  const user = await newUser('ada@example.com');
  expect(await adapter.getUser(user.id)).toEqual(user);
  expect(await adapter.getUserByEmail('ada@example.com')).toEqual(user);
  expect(await adapter.getUserByEmail('nobody@example.com')).toBeNull();
  expect(await adapter.updateUser({ id: user.id, name: 'Ada Lovelace' })).toEqual({ ...user, name: 'Ada Lovelace' });
  expect(await adapter.getUserByEmail('ada@example.com')).toMatchObject({ name: 'Ada Lovelace' });
});

test('an account is linked, found and unlinked', async () => {
  const user = await newUser('linked@example.com');
  const account = { provider: 'github', providerAccountId: '42', userId: user.id, type: 'oauth' };
  await adapter.linkAccount({ ...account, access_token: 'secret' });
  const of = { provider: 'github', providerAccountId: '42' };
  expect(await adapter.getUserByAccount(of)).toEqual(user);
  expect(await adapter.getUserByAccount({ ...of, providerAccountId: '43' })).toBeNull();
  expect(await adapter.unlinkAccount(of)).toMatchObject({ ...account, access_token: 'secret' });
  expect(await adapter.getUserByAccount(of)).toBeNull();
});

test('a session is made, found with its user, prolonged and deleted', async () => {
  const user = await newUser('session@example.com');
  const session = { sessionToken: 'token', userId: user.id, expires: inAnHour() };
  await adapter.createSession(session);
  expect(await adapter.getSessionAndUser('token')).toEqual({ user, session });
  const expires = new Date(session.expires.getTime() + 1000);
  expect(await adapter.updateSession({ sessionToken: 'token', expires })).toMatchObject({ expires });
  expect(await adapter.getSessionAndUser('token')).toMatchObject({ session: { expires } });
  await adapter.deleteSession('token');
  expect(await adapter.getSessionAndUser('token')).toBeNull();
});

test('a verification token is used once', async () => {
  const token = { identifier: 'ada@example.com', token: 'once', expires: inAnHour() };
  await adapter.createVerificationToken(token);
  const { identifier } = token;
  expect(await adapter.useVerificationToken({ identifier, token: 'once' })).toEqual(token);
  expect(await adapter.useVerificationToken({ identifier, token: 'once' })).toBeNull();
});

test('a deleted user takes accounts and sessions along', async () => {
  const user = await newUser('deleted@example.com');
  const account = { provider: 'github', providerAccountId: '44' };
  await adapter.linkAccount({ ...account, userId: user.id, type: 'oauth' });
  await adapter.createSession({ sessionToken: 'deleted', userId: user.id, expires: inAnHour() });
  expect(await adapter.deleteUser(user.id)).toEqual(user);
  expect(await adapter.getUser(user.id)).toBeNull();
  expect(await adapter.getUserByEmail('deleted@example.com')).toBeNull();
  expect(await adapter.getUserByAccount(account)).toBeNull();
  expect(await adapter.getSessionAndUser('deleted')).toBeNull();
});
