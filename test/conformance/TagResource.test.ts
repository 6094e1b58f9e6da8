import {
  CreateTableCommand,
  DescribeTableCommand,
  ListTagsOfResourceCommand,
  type Tag,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tableInput } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let ResourceArn: string;
let tables = 0;

beforeAll(async () => {
  server = await startServer();
});
beforeEach(async () => {
  const input = tableInput(`Tagged${tables++}`, { Tags: [{ Key: 'team', Value: 'shop' }] });
  ResourceArn = (await server.client.send(new CreateTableCommand(input))).TableDescription!.TableArn!;
});
afterAll(() => server.stop());

const tag = (Tags: Tag[], arn = ResourceArn) => server.client.send(new TagResourceCommand({ ResourceArn: arn, Tags }));
const untag = (...TagKeys: string[]) => server.client.send(new UntagResourceCommand({ ResourceArn, TagKeys }));
const tags = async (arn = ResourceArn) =>
  (await server.client.send(new ListTagsOfResourceCommand({ ResourceArn: arn }))).Tags;
const refusal = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => 'not refused',
    (error) => `${error.name}: ${error.message}`,
  );

test('tags are added, replaced and removed; a key that there is not is no error', async () => {
  expect(await tags()).toEqual([{ Key: 'team', Value: 'shop' }]);
  await tag([
    { Key: 'stage', Value: 'test' },
    { Key: 'team', Value: 'cart' },
  ]);
  expect(await tags()).toEqual([
    { Key: 'team', Value: 'cart' },
    { Key: 'stage', Value: 'test' },
  ]);
  await untag('team', 'never');
  expect(await tags()).toEqual([{ Key: 'stage', Value: 'test' }]);
});

test('a table keeps all else that it has', async () => {
  const describeIt = async () => (await server.client.send(new DescribeTableCommand({ TableName: ResourceArn }))).Table;
  const before = await describeIt();
  await tag([{ Key: 'stage', Value: '' }]);
  expect(await describeIt()).toEqual(before);
});

describe('refused, with nothing changed', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => ({ Key: `k${index}`, Value: 'v' }));

  test.each<[Tag[], string]>([
    [[], 'ValidationException: Atleast one Tag needs to be provided as Input.'],
    [[{ Key: 'aws:x', Value: 'v' }], 'ValidationException: Tag Key cannot be prefixed with aws:, Key: aws:x'],
    [many(50), 'ValidationException: Number of Tags exceed the current limit for the provided ResourceArn'],
    [
      [{ Key: 'dynaring:consistency', Value: 'dynamo' }],
      'ValidationException: The tag dynaring:consistency of a table is given when it is created, and stays',
    ],
  ])('the tags %j', async (added, expected) => {
    expect(await refusal(tag(added))).toBe(expected);
    expect(await tags()).toEqual([{ Key: 'team', Value: 'shop' }]);
  });

  test('no key to remove', async () => {
    expect(await refusal(untag())).toBe('ValidationException: Atleast one Tag Key needs to be provided as Input.');
  });

  test('the tag that says how the table is kept', async () => {
    const kept = [{ Key: 'dynaring:consistency', Value: 'dynamo' }];
    const input = tableInput(`Tagged${tables++}`, { Tags: kept });
    ResourceArn = (await server.client.send(new CreateTableCommand(input))).TableDescription!.TableArn!;
    expect(await refusal(untag('dynaring:consistency'))).toMatch(/^ValidationException: /);
    await tag(kept);
    expect(await tags()).toEqual(kept);
  });

  test.each([
    // Findings of aws-controllers-k8s on DynamoDB, October 2026.
    ['Tagged0', "ValidationException: One or more parameter values were invalid: ARNs must start with 'arn:'"],
    [
      'arn:aws:dynamodb:us-east-1:000000000000:table/Tagged0/stream/2026-10-09T00:29:04.041',
      'ResourceNotFoundException',
    ],
    ['arn:aws:dynamodb:us-east-1:000000000000:global-table/Tagged0', 'ValidationException'],
    ['arn:aws:s3:::bucket', 'AccessDeniedException'],
    ['arn:aws:dynamodb:us-east-1:000000000000:table/Nowhere', 'ResourceNotFoundException'],
  ])('the resource %s with %s', async (arn, expected) => {
    for (const answer of [tag([{ Key: 'k', Value: 'v' }], arn), tags(arn)]) {
      expect(await refusal(answer)).toMatch(new RegExp(`^${expected}: .*${arn}`));
    }
  });
});
