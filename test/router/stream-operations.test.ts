import { beforeEach, describe, expect, test } from 'vitest';
import { shardIteratorText } from '../../src/api/shard-iterator.ts';
import { shardIdOf, streamNameOf } from '../../src/api/stream.ts';
import { toJson } from '../../src/web/render.ts';
import { MemoryClient } from './memory-client.ts';
import { CONTEXT, newRouter, refusal, tableRequest } from './table-fixtures.ts';

const NEW_AND_OLD = { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } as const;
const HOUR_MS = 3_600_000;

let client: MemoryClient;
let router: ReturnType<typeof newRouter>;

beforeEach(() => {
  client = new MemoryClient();
  router = newRouter(client, {}, 0, () => true);
});

/** @returns its ARN */
async function createStream(TableName = 'Music', changes: Parameters<typeof tableRequest>[0] = {}): Promise<string> {
  const request = tableRequest({ TableName, StreamSpecification: NEW_AND_OLD, ...changes });
  return (await router.create(request)).TableDescription.LatestStreamArn;
}

function put(pk: string, more: object = {}, TableName = 'Music') {
  return router.execute('PutItem', { TableName, Item: { pk: { S: pk }, ...more } });
}

async function describeStream(StreamArn: string, more: object = {}, context = {}) {
  return (await router.execute('DescribeStream', { StreamArn, ...more }, context)).StreamDescription;
}

async function iterator(StreamArn: string, ShardIteratorType = 'TRIM_HORIZON', SequenceNumber?: string, context = {}) {
  const shardId = shardIdOf(streamNameOf(StreamArn)!, 0);
  const request = { StreamArn, ShardId: shardId, ShardIteratorType, SequenceNumber };
  return (await router.execute('GetShardIterator', request, context)).ShardIterator as string;
}

/** What a client gets, after the way through JSON. */
async function read(ShardIterator: string, more: object = {}, context = {}) {
  const answer = await router.execute('GetRecords', { ShardIterator, ...more }, context);
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of answers as they like.
  return JSON.parse(toJson(answer).toString()) as any;
}

// biome-ignore lint/suspicious/noExplicitAny: as above
const keysOf = (records: any[]) => records.map(({ dynamodb }) => dynamodb.Keys.pk.S);

describe('a table with a stream', () => {
  test('has one row for it, by which it is listed and described', async () => {
    const arn = await createStream();
    expect(arn).toBe('arn:aws:dynamodb:eu-west-1:000000000000:table/Music/stream/2026-10-08T23:07:31.275');
    const listed = { StreamArn: arn, TableName: 'Music', StreamLabel: '2026-10-08T23:07:31.275' };
    expect(await router.execute('ListStreams', {})).toEqual({ Streams: [listed], LastEvaluatedStreamArn: undefined });
    expect(await describeStream(arn)).toEqual({
      StreamArn: arn,
      StreamLabel: '2026-10-08T23:07:31.275',
      StreamStatus: 'ENABLED',
      StreamViewType: 'NEW_AND_OLD_IMAGES',
      CreationRequestDateTime: CONTEXT.nowMs / 1000,
      TableName: 'Music',
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      Shards: [
        {
          ShardId: 'shardId-00000001791500851275-00000000',
          SequenceNumberRange: { StartingSequenceNumber: '000000000000000000000', EndingSequenceNumber: undefined },
        },
      ],
      LastEvaluatedShardId: undefined,
    });
  });

  test('gives the nodes what they derive from its items', async () => {
    await createStream();
    const table = (await router.catalog.get('', 'Music', { kind: 'administrator' }))!;
    expect(table).toMatchObject({ derivation: 1, stream: { shards: 1, viewType: 'NEW_AND_OLD_IMAGES' } });
    expect(table.stream!.storageId).toHaveLength(8);
    expect(table.stream).not.toHaveProperty('isEnabling');
  });

  test('in dynamo mode is refused', async () => {
    const Tags = [{ Key: 'dynaring:consistency', Value: 'dynamo' }];
    const refused = /^ValidationException: One or more parameter values were invalid: StreamSpecification: a table/;
    expect(await refusal(createStream('Music', { Tags }))).toMatch(refused);
    await router.create(tableRequest({ Tags }));
    expect(await refusal(router.update({ StreamSpecification: NEW_AND_OLD }))).toMatch(refused);
    expect(await router.execute('ListStreams', {})).toMatchObject({ Streams: [] });
  });

  test('whose stream is enabled later gets a higher derivation, which is in force before it is ENABLED', async () => {
    await router.create();
    client.calls.length = 0;
    const { TableDescription } = await router.update({ StreamSpecification: NEW_AND_OLD });
    expect(TableDescription.StreamSpecification).toEqual(NEW_AND_OLD);
    expect(client.calls).toContain('use-derivation');
    const described = await router.describe();
    expect(described.LatestStreamArn).toBe(TableDescription.LatestStreamArn);
    expect(await describeStream(described.LatestStreamArn)).toMatchObject({ StreamStatus: 'ENABLED' });
    expect(router.catalog.cached('', 'Music')).toMatchObject({ derivation: 1 });
  });

  test('keeps ARN and label in its description when the stream is disabled; it can be read for a day', async () => {
    const arn = await createStream();
    await put('a');
    const begin = await iterator(arn);
    await router.update({ StreamSpecification: { StreamEnabled: false } });
    const described = await router.describe();
    expect(described.StreamSpecification).toBeUndefined();
    expect(described.LatestStreamArn).toBe(arn);
    expect(router.catalog.cached('', 'Music')).toMatchObject({ derivation: 2 });
    await put('b');
    const stream = await describeStream(arn);
    expect(stream.StreamStatus).toBe('DISABLED');
    expect(stream.Shards[0].SequenceNumberRange.EndingSequenceNumber).toBe('000000000000001048576');
    const { Records, ...rest } = await read(begin);
    expect(keysOf(Records)).toEqual(['a']);
    expect(rest).toEqual({});

    const later = { nowMs: CONTEXT.nowMs + 24 * HOUR_MS };
    expect(await refusal(describeStream(arn, {}, later))).toBe(
      `ResourceNotFoundException: Requested resource not found: Stream: ${arn} not found`,
    );
    expect((await router.execute('ListStreams', {}, later)).Streams).toEqual([]);
  });

  test('has another stream when it is enabled anew, even in the same millisecond', async () => {
    const first = await createStream();
    await put('a');
    await router.update({ StreamSpecification: { StreamEnabled: false } });
    await router.update({ StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' } });
    const second = (await router.describe()).LatestStreamArn;
    expect(second).not.toBe(first);
    await put('b');
    expect(keysOf((await read(await iterator(second))).Records)).toEqual(['b']);
    expect(keysOf((await read(await iterator(first))).Records)).toEqual(['a']);
    const { Streams } = await router.execute('ListStreams', { TableName: 'Music' });
    expect(Streams.map(({ StreamArn }: { StreamArn: string }) => StreamArn)).toEqual([first, second]);
  });

  test('that is deleted leaves a stream, which another table of the name does not disturb', async () => {
    const first = await createStream();
    await put('a');
    await router.execute('DeleteTable', { TableName: 'Music' });
    expect(await describeStream(first)).toMatchObject({ StreamStatus: 'DISABLED', TableName: 'Music' });
    const second = await createStream();
    expect(second).not.toBe(first);
    await put('b');
    expect(keysOf((await read(await iterator(first))).Records)).toEqual(['a']);
    expect(keysOf((await read(await iterator(second))).Records)).toEqual(['b']);
    expect(client.streams.forgotten).toEqual([]);
  });

  test('has none left after a reset', async () => {
    const arn = await createStream();
    const { storageId } = router.catalog.cached('', 'Music')!.stream!;
    await router.tables.reset();
    expect((await router.execute('ListStreams', {})).Streams).toEqual([]);
    expect(await refusal(describeStream(arn))).toMatch(/^ResourceNotFoundException/);
    expect(client.streams.forgotten).toEqual([storageId]);
  });

  test('has none left after a reset while its stream is being ended', async () => {
    const arn = await createStream();
    const end = client.streams.endStream.bind(client.streams);
    client.streams.endStream = async (stream) => {
      await router.tables.reset();
      return end(stream);
    };
    await router.update({ StreamSpecification: { StreamEnabled: false } });
    expect((await router.execute('ListStreams', {})).Streams).toEqual([]);
    expect(await refusal(describeStream(arn))).toMatch(/^ResourceNotFoundException/);
  });

  test('that is seen DELETING for a while leaves a stream that ends then, though nobody looks for the table', async () => {
    const arn = await createStream();
    await put('a');
    await router.execute('DeleteTable', { TableName: 'Music' }, { nowMs: CONTEXT.nowMs - 200, transientMs: 200 });
    expect(await describeStream(arn)).toMatchObject({ StreamStatus: 'DISABLING' });
    await expect.poll(() => describeStream(arn)).toMatchObject({ StreamStatus: 'DISABLED' });
    const answer = await read(await iterator(arn));
    expect(keysOf(answer.Records)).toEqual(['a']);
    expect(answer.NextShardIterator).toBeUndefined();
  });

  test('comes back from a snapshot with a new stream, which has no records of the items that were restored', async () => {
    const first = await createStream();
    await put('a');
    const snapshot = JSON.parse(JSON.stringify(await router.tables.snapshot()));
    await put('b');
    await router.tables.restore(snapshot);
    const second = (await router.describe()).LatestStreamArn;
    expect(second > first).toBe(true);
    expect(await refusal(describeStream(first))).toMatch(/^ResourceNotFoundException/);
    await put('c');
    expect(keysOf((await read(await iterator(second))).Records)).toEqual(['c']);
  });

  test('is found by sweeps, which forget what is over and trim what is old', async () => {
    await createStream();
    await put('a');
    await put('b');
    const { storageId: stream } = router.catalog.cached('', 'Music')!.stream!;
    await router.keeper.sweep(client.streams.nowMs + 1);
    const lowest = (await client.streams.logEnds({ stream: stream!, shard: 0, shards: 1 })) as { lowest: object };
    expect(lowest.lowest).toEqual({ cell: 1, offset: 0 });
    expect(await router.catalog.forgetDeleted()).toBe(0);
  });

  test('of a version that only described streams gets a real one, by the same ARN', async () => {
    const arn = await createStream();
    await router.catalog.change('', 'Music', ({ derivation: _, ...table }) => ({
      ...table,
      stream: { startedAtMs: table.stream!.startedAtMs, viewType: 'NEW_AND_OLD_IMAGES' },
    }));
    await router.tables.reset('other');
    await router.keeper.settled({ namespace: '', name: 'Music' }, 1_000);
    expect(await describeStream(arn)).toMatchObject({ StreamStatus: 'ENABLED' });
    await put('a');
    expect(keysOf((await read(await iterator(arn))).Records)).toEqual(['a']);
  });
});

describe('records', () => {
  test('have the members of the service', async () => {
    const arn = await createStream();
    await put('a', { n: { N: '1' } });
    await put('a', { n: { N: '2' } });
    await put('a', { n: { N: '2' } });
    await router.execute('DeleteItem', { TableName: 'Music', Key: { pk: { S: 'a' } } });
    const { Records, NextShardIterator } = await read(await iterator(arn));
    const each = {
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: 'eu-west-1',
    };
    const dynamodb = {
      ApproximateCreationDateTime: Math.floor(CONTEXT.nowMs / 1000),
      Keys: { pk: { S: 'a' } },
      StreamViewType: 'NEW_AND_OLD_IMAGES',
    };
    const one = { pk: { S: 'a' }, n: { N: '1' } };
    const two = { pk: { S: 'a' }, n: { N: '2' } };
    expect(Records).toEqual([
      {
        ...each,
        eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
        eventName: 'INSERT',
        dynamodb: { ...dynamodb, NewImage: one, SequenceNumber: '000000000000000000000', SizeBytes: 3 + 6 },
      },
      {
        ...each,
        eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
        eventName: 'MODIFY',
        dynamodb: {
          ...dynamodb,
          NewImage: two,
          OldImage: one,
          SequenceNumber: '000000000000001048576',
          SizeBytes: 3 + 6 + 6,
        },
      },
      {
        ...each,
        eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
        eventName: 'REMOVE',
        dynamodb: { ...dynamodb, OldImage: two, SequenceNumber: '000000000000002097152', SizeBytes: 3 + 6 },
      },
    ]);
    expect(new Set(Records.map(({ eventID }: { eventID: string }) => eventID)).size).toBe(3);
    expect(await read(NextShardIterator)).toMatchObject({ Records: [] });
  });

  test('come in pages, and go on behind the end', async () => {
    const arn = await createStream();
    for (const pk of ['a', 'b', 'c']) await put(pk);
    const first = await read(await iterator(arn), { Limit: 2 });
    expect(keysOf(first.Records)).toEqual(['a', 'b']);
    const second = await read(first.NextShardIterator, { Limit: 2 });
    expect(keysOf(second.Records)).toEqual(['c']);
    const third = await read(second.NextShardIterator);
    expect(third.Records).toEqual([]);
    await put('d');
    expect(keysOf((await read(third.NextShardIterator)).Records)).toEqual(['d']);
  });

  test('are found by every kind of iterator', async () => {
    const arn = await createStream();
    for (const pk of ['a', 'b', 'c']) await put(pk);
    const { Records } = await read(await iterator(arn));
    const { SequenceNumber } = Records[1].dynamodb;
    const latest = await iterator(arn, 'LATEST');
    await put('d');
    expect(keysOf((await read(await iterator(arn, 'AT_SEQUENCE_NUMBER', SequenceNumber))).Records)).toEqual([
      'b',
      'c',
      'd',
    ]);
    expect(keysOf((await read(await iterator(arn, 'AFTER_SEQUENCE_NUMBER', SequenceNumber))).Records)).toEqual([
      'c',
      'd',
    ]);
    expect(keysOf((await read(latest)).Records)).toEqual(['d']);
  });

  test('that are older than a day are not answered, and an iterator that points to them is refused', async () => {
    const arn = await createStream();
    for (const pk of ['a', 'b']) await put(pk);
    client.streams.nowMs += 2 * HOUR_MS;
    await put('c');
    const dayLater = CONTEXT.nowMs + 24 * HOUR_MS;
    expect(
      keysOf(
        (await read(await iterator(arn, 'TRIM_HORIZON', undefined, { nowMs: dayLater }), {}, { nowMs: dayLater }))
          .Records,
      ),
    ).toEqual(['c']);
    const trimmed = 'TrimmedDataAccessException: The data you are trying to access has been trimmed';
    expect(await refusal(iterator(arn, 'AT_SEQUENCE_NUMBER', '000000000000001048576', { nowMs: dayLater }))).toBe(
      trimmed,
    );
    const before = { nowMs: dayLater - 1 };
    const late = await iterator(arn, 'AT_SEQUENCE_NUMBER', '000000000000001048576', before);
    expect(keysOf((await read(late, {}, before)).Records)).toEqual(['b', 'c']);
    expect(await refusal(read(late, {}, { nowMs: dayLater }))).toBe(trimmed);
    await router.keeper.sweep(client.streams.nowMs);
    expect(await refusal(read(late, {}, before))).toBe(trimmed);
    expect(keysOf((await read(await iterator(arn, 'TRIM_HORIZON', undefined, before), {}, before)).Records)).toEqual([
      'c',
    ]);
  });

  test('of what the sweep of expired items has deleted say so', async () => {
    const arn = await createStream();
    const { stream } = router.catalog.cached('', 'Music')!;
    const image = { json: Buffer.from('{"pk":{"S":"a"}}'), size: 3 };
    const derived = { storageId: stream!.storageId!, view: 'KEYS_ONLY', shards: 1 } as const;
    const key = { partition: { name: 'pk', type: 'S' } } as const;
    client.streams.append({ table: 'x', version: 1, key, indexes: [], stream: derived }, image, undefined, 'ttl');
    const { Records } = await read(await iterator(arn));
    expect(Records[0]).toMatchObject({
      eventName: 'REMOVE',
      userIdentity: { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' },
    });
    expect(Records[0].dynamodb).not.toHaveProperty('OldImage');
  });

  test('are answered once more as far as a rule wants it, and never a third time', async () => {
    const arn = await createStream();
    for (const pk of ['a', 'b', 'c']) await put(pk);
    const again = { recordsAgain: async () => 2 };
    const first = await read(await iterator(arn), {}, again);
    expect(keysOf(first.Records)).toEqual(['a', 'b', 'c']);
    const second = await read(first.NextShardIterator, { Limit: 1 }, again);
    expect(keysOf(second.Records)).toEqual(['b']);
    const third = await read(second.NextShardIterator, {}, again);
    expect(keysOf(third.Records)).toEqual(['c']);
    const fourth = await read(third.NextShardIterator, {}, again);
    expect(fourth.Records).toEqual([]);
    await put('d');
    const fifth = await read(fourth.NextShardIterator, {}, again);
    expect(keysOf((await read(fifth.NextShardIterator)).Records)).toEqual(['d']);
  });
});

describe('of bad input', () => {
  test('an iterator expires after 15 minutes', async () => {
    const arn = await createStream();
    const text = await iterator(arn);
    const late = (ms: number) => ({ nowMs: CONTEXT.nowMs + ms });
    expect((await read(text, {}, late(15 * 60_000))).Records).toEqual([]);
    expect(await refusal(read(text, {}, late(15 * 60_000 + 1)))).toBe(
      'ExpiredIteratorException: The provided iterator exceeds the maximum age allowed.',
    );
  });

  test('an iterator that was changed, or is of another stream, is refused', async () => {
    const arn = await createStream();
    const other = await createStream('Other');
    const text = await iterator(arn);
    const invalid = 'ValidationException: Invalid ShardIterator';
    for (const wrong of [
      'x',
      `${text}A`,
      text.slice(0, -4),
      text.replace('Music', 'Other'),
      text.replace('|1|', '|2|'),
    ]) {
      expect(await refusal(read(wrong))).toBe(invalid);
    }
    const shape = { shard: 0, position: { cell: 0, offset: 0 }, isTrimHorizon: true, repeated: 0 };
    const issued = { ...shape, issuedAtMs: CONTEXT.nowMs };
    const { storageId } = router.catalog.cached('', 'Music')!.stream!;
    expect(await refusal(read(shardIteratorText({ ...issued, arn: other, stream: storageId! })))).toBe(invalid);
    expect(await refusal(read(shardIteratorText({ ...issued, shard: 1, arn, stream: storageId! })))).toBe(
      'ResourceNotFoundException: Invalid ShardId in ShardIterator',
    );
    const gone = arn.replace('Music', 'Gone');
    expect(await refusal(read(shardIteratorText({ ...issued, arn: gone, stream: storageId! })))).toBe(
      `ResourceNotFoundException: Requested resource not found: Stream: ${gone} not found`,
    );
  });

  test('streams, shards, sequence numbers and limits that there are not are refused', async () => {
    const arn = await createStream();
    const ask = (more: object) =>
      refusal(
        router.execute('GetShardIterator', {
          StreamArn: arn,
          ShardId: shardIdOf(streamNameOf(arn)!, 0),
          ShardIteratorType: 'LATEST',
          ...more,
        }),
      );
    expect(await ask({ StreamArn: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music' })).toBe(
      'ValidationException: Invalid StreamArn',
    );
    expect(await ask({ StreamArn: arn.replace('.275', '.276') })).toMatch(/^ResourceNotFoundException: .* not found$/);
    for (const ShardId of [
      'shardId-00000001791500851275-00000001',
      'shardId-00000001791500851276-00000000',
      'x'.repeat(30),
    ]) {
      expect(await ask({ ShardId })).toBe(
        'ResourceNotFoundException: Requested resource not found: Shard does not exist',
      );
    }
    const type = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER' };
    expect(await ask(type)).toMatch(/^ValidationException: SequenceNumber is required/);
    for (const SequenceNumber of [`${'0'.repeat(20)}x`, '9'.repeat(40), '000000000000001048577']) {
      expect(await ask({ ...type, SequenceNumber })).toBe(
        `ValidationException: Invalid SequenceNumber: ${SequenceNumber}`,
      );
    }
    const tooMany = (limit: number, most: number) =>
      `ValidationException: 1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to ${most}`;
    expect(await refusal(read(await iterator(arn), { Limit: 1_001 }))).toBe(tooMany(1_001, 1_000));
    expect(await refusal(router.execute('ListStreams', { Limit: 101 }))).toBe(tooMany(101, 100));
    expect(await refusal(describeStream(arn, { Limit: 101 }))).toBe(tooMany(101, 100));
    expect(await refusal(router.execute('ListStreams', { TableName: 'Gone' }))).toBe(
      'ResourceNotFoundException: Requested resource not found: Table: Gone not found',
    );
  });
});

test('streams are listed page by page, by table and start', async () => {
  const arns: string[] = [];
  for (const name of ['aaa', 'bbb', 'ccc']) arns.push(await createStream(name));
  const first = await router.execute('ListStreams', { Limit: 2 });
  expect(first.Streams.map(({ TableName }: { TableName: string }) => TableName)).toEqual(['aaa', 'bbb']);
  expect(first.LastEvaluatedStreamArn).toBe(arns[1]);
  const second = await router.execute('ListStreams', { ExclusiveStartStreamArn: arns[1] });
  expect(second).toMatchObject({ Streams: [{ TableName: 'ccc' }], LastEvaluatedStreamArn: undefined });
  expect((await router.execute('ListStreams', { TableName: 'bbb' })).Streams).toHaveLength(1);
});
