import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ApiError } from '../../src/api/errors.ts';
import { readShardIterator, type ShardIterator, shardIteratorText } from '../../src/api/shard-iterator.ts';
import { positionOfSequence, sequenceNumberOf } from '../../src/api/stream.ts';
import { CONTEXT, newRouter, tableRequest } from './table-fixtures.ts';

const ARN = 'arn:aws:dynamodb:eu-west-1:000000000000:table/Music/stream/2026-10-08T23:07:31.275';
const position = fc.record({ cell: fc.nat({ max: 2 ** 49 - 1 }), offset: fc.nat({ max: 65_535 }) });
const iterator: fc.Arbitrary<ShardIterator> = fc.record({
  arn: fc.constant(ARN),
  stream: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  shard: fc.nat({ max: 65_535 }),
  position,
  isTrimHorizon: fc.boolean(),
  issuedAtMs: fc.nat({ max: 253_402_300_799_999 }),
  repeated: fc.nat({ max: 1_000 }),
});

test('an iterator is read as it was written, and its text is one that the service takes', () => {
  fc.assert(
    fc.property(iterator, (given) => {
      const text = shardIteratorText(given);
      expect(text.length).toBeLessThanOrEqual(2_048);
      expect(readShardIterator(text)).toEqual(given);
    }),
  );
});

test('a sequence number is read as it was written, and later ones are greater as texts, too', () => {
  fc.assert(
    fc.property(position, position, (one, other) => {
      const [first, second] = [sequenceNumberOf(one), sequenceNumberOf(other)];
      expect(positionOfSequence(first)).toEqual(one);
      const isLess = one.cell < other.cell || (one.cell === other.cell && one.offset < other.offset);
      expect(first < second).toBe(isLess);
    }),
  );
});

test('an iterator in which anything was changed is refused, and so is any other text', async () => {
  const router = newRouter();
  await router.create(tableRequest({ StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' } }));
  const changed = fc
    .tuple(iterator.map(shardIteratorText), fc.nat(), fc.string({ maxLength: 3 }), fc.nat(3))
    .map(([text, at, by, removed]) => {
      const start = at % text.length;
      return { text, other: text.slice(0, start) + by + text.slice(start + removed) };
    })
    .filter(({ text, other }) => text !== other && other !== '');
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        changed,
        fc.string({ minLength: 1 }).map((other) => ({ other })),
      ),
      async ({ other }) => {
        const error = await router.execute('GetRecords', { ShardIterator: other }, CONTEXT).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error).toBeInstanceOf(ApiError);
        expect((error as ApiError).message).toBe('Invalid ShardIterator');
      },
    ),
    { numRuns: 2_000 },
  );
});

test('whatever is asked of streams is answered, or refused by an error of the service', async () => {
  const router = newRouter();
  await router.create(tableRequest({ StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' } }));
  const text = fc.oneof(fc.string(), fc.constantFrom(ARN, `${ARN}0`, ARN.replace('Music', 'None')));
  const shard = fc.oneof(fc.string(), fc.constant('shardId-00000001791500851275-00000000'));
  const digits = fc.oneof(position.map(sequenceNumberOf), fc.stringMatching(/^\d{21,40}$/), fc.string());
  const type = fc.constantFrom('TRIM_HORIZON', 'LATEST', 'AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER');
  const requests = fc.oneof(
    fc.tuple(
      fc.constant('GetShardIterator' as const),
      fc.record({ StreamArn: text, ShardId: shard, ShardIteratorType: type, SequenceNumber: digits }),
    ),
    fc.tuple(
      fc.constant('DescribeStream' as const),
      fc.record({ StreamArn: text, Limit: fc.integer({ min: 1 }), ExclusiveStartShardId: shard }),
    ),
    fc.tuple(
      fc.constant('ListStreams' as const),
      fc.record({ ExclusiveStartStreamArn: text, Limit: fc.integer({ min: 1 }) }),
    ),
  );
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(requests, async ([operation, request]) => {
      try {
        await router.execute(operation, request);
        answered++;
      } catch (error) {
        expect(error).toBeInstanceOf(ApiError);
        expect((error as ApiError).status).toBe(400);
      }
    }),
    { numRuns: 3_000 },
  );
  expect(answered).toBeGreaterThan(20);
});
