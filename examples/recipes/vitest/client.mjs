import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { inject } from 'vitest';

/** Vitest loads this anew for each test file, so each has a namespace of its own: tables that no other file sees. */
export const client = new DynamoDBClient({
  endpoint: inject('endpoint'),
  region: 'local',
  credentials: { accessKeyId: `dynaringns${randomUUID()}`, secretAccessKey: 'any' },
});
