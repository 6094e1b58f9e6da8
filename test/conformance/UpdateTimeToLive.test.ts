import {
  DescribeTimeToLiveCommand,
  ResourceNotFoundException,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let TableName: string;
let made = 0;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  TableName = `Table${made++}`;
  await createTable(server.client, TableName);
});

const update = (Enabled: boolean, AttributeName: string, name = TableName) =>
  server.client.send(
    new UpdateTimeToLiveCommand({ TableName: name, TimeToLiveSpecification: { Enabled, AttributeName } }),
  );
const described = async () => {
  const { TimeToLiveDescription } = await server.client.send(new DescribeTimeToLiveCommand({ TableName }));
  return TimeToLiveDescription;
};

test('the specification comes back, and is in force once it is answered', async () => {
  const { TimeToLiveSpecification } = await update(true, 'expires');
  expect(TimeToLiveSpecification).toEqual({ Enabled: true, AttributeName: 'expires' });
  expect(await described()).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' });
  expect((await update(false, 'expires')).TimeToLiveSpecification).toEqual({
    Enabled: false,
    AttributeName: 'expires',
  });
  expect(await described()).toEqual({ TimeToLiveStatus: 'DISABLED' });
  await update(true, 'other');
  expect(await described()).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'other' });
});

describe('what is so already, or goes by another attribute, is refused', () => {
  const different = 'TimeToLive is active on a different AttributeName: current AttributeName is expires';

  test.each<[string, boolean, boolean, string, string]>([
    ['enabled again', true, true, 'expires', 'TimeToLive is already enabled'],
    ['disabled again', false, false, 'expires', 'TimeToLive is already disabled'],
    ['enabled under another name', true, true, 'other', different],
    ['disabled under another name', true, false, 'other', different],
  ])('%s', async (_, isEnabled, Enabled, AttributeName, message) => {
    if (isEnabled) await update(true, 'expires');
    const before = await described();
    await expect(update(Enabled, AttributeName)).rejects.toMatchObject({ name: 'ValidationException', message });
    expect(await described()).toEqual(before);
  });
});

test('nothing is lost to another update of the table at the same time', async () => {
  const { client } = server;
  const protect = (DeletionProtectionEnabled: boolean) =>
    client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled }));
  for (let round = 0; round < 5; round++) {
    await Promise.all([update(true, 'expires'), protect(true)]);
    expect(await described()).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' });
    const [{ TableDescription }] = await Promise.all([protect(false), update(false, 'expires')]);
    expect(TableDescription?.DeletionProtectionEnabled).toBe(false);
    expect(await described()).toEqual({ TimeToLiveStatus: 'DISABLED' });
  }
});

test('a table that is not there is not found', async () => {
  const refused = update(true, 'expires', 'Missing');
  await expect(refused).rejects.toThrow(ResourceNotFoundException);
  await expect(refused).rejects.toThrow('Requested resource not found: Table: Missing not found');
});

test('an attribute name must be there and have at most 255 characters', async () => {
  const text = (name: string) =>
    `1 validation error detected: Value '${name}' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint:`;
  await expect(update(true, '')).rejects.toMatchObject({
    message: `${text('')} Member must have length greater than or equal to 1`,
  });
  await expect(update(true, 'x'.repeat(256))).rejects.toMatchObject({
    message: `${text('x'.repeat(256))} Member must have length less than or equal to 255`,
  });
});
