import * as sdk from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { OPERATION_TRAITS } from '../../src/api/operation-traits.ts';
import { OPERATIONS } from '../../src/api/operations.ts';
import { NOT_SERVED } from '../../src/api/service-operations.ts';

/** As the installed SDK has them: [9, namespace, name, traits, input, output]. */
const OPERATIONS_OF_SDK = Object.values(sdk as unknown as Record<string, unknown>).filter(
  (value): value is readonly [9, string, string, unknown, () => unknown, () => unknown] =>
    Array.isArray(value) && value[0] === 9,
);

test('those served and those not served are the operations of the SDK, and four of streams', () => {
  const known = [...OPERATIONS, ...NOT_SERVED.values()].sort();
  const streams = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'];
  expect(OPERATIONS_OF_SDK.length).toBe(62);
  expect(known).toEqual([...OPERATIONS_OF_SDK.map(([, , name]) => name), ...streams].sort());
});

test('those that answer nothing are those that have no output in the SDK', () => {
  const silent = OPERATIONS_OF_SDK.filter(([, , , , , output]) => output() === 'unit').map(([, , name]) => name);
  expect(OPERATIONS.filter((name) => OPERATION_TRAITS[name].answersNothing).sort()).toEqual(
    silent.filter((name) => (OPERATIONS as readonly string[]).includes(name)).sort(),
  );
  expect(silent.sort()).toEqual(['TagResource', 'UntagResource']);
});
