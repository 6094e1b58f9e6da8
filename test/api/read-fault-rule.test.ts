import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AdminError, type FaultRule } from '../../src/api/fault-rule.ts';
import { OPERATION_TRAITS } from '../../src/api/operation-traits.ts';
import { OPERATIONS } from '../../src/api/operations.ts';
import { readFaultRule } from '../../src/api/read-fault-rule.ts';

function refusal(json: unknown): AdminError {
  try {
    readFaultRule(json);
  } catch (error) {
    if (error instanceof AdminError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(json)}`);
}

const LATENCY = { kind: 'latency', ms: 50 };
const ERROR = { kind: 'error', error: 'ThrottlingException', when: 'before' };

describe('a fault rule', () => {
  test.each<FaultRule>([
    { kind: 'staleness', lagMs: 5000 },
    { kind: 'staleness', versions: 1, operation: 'GetItem' },
    { kind: 'staleness', model: 'LNKD-SSD', probability: 0.5, seed: 7 },
    { kind: 'staleness', worst: true, table: 'Orders' },
    { kind: 'staleness', worst: true, table: 'Orders', index: 'by-customer', probability: 0.5 },
    { kind: 'staleness', lagMs: 5, whole: true, index: 'by-customer', times: 3 },
    { kind: 'staleness', lagMs: 5, stream: true, table: 'Orders', namespace: 'one', times: 3, forMs: 10 },
    { kind: 'redelivery' },
    { kind: 'redelivery', records: 3, table: 'Orders', probability: 0.5, seed: 7, times: 2 },
    { kind: 'error', error: 'ExpiredIteratorException', when: 'before' },
    { kind: 'error', error: 'TrimmedDataAccessException', when: 'before', operation: 'GetShardIterator' },
    { kind: 'error', error: 'LimitExceededException', when: 'before', operation: 'GetRecords' },
    { kind: 'latency', ms: 5, index: 'by-customer', operation: 'Query' },
    { kind: 'error', error: 'ProvisionedThroughputExceededException', when: 'before', times: 2 },
    { kind: 'error', error: 'ConditionalCheckFailedException', when: 'before', operation: 'PutItem' },
    { kind: 'drop-connection', when: 'after', key: { id: { S: 'a' }, at: { N: '1.0' } } },
    { kind: 'conflict' },
    { kind: 'conflict', table: 'Orders', key: { id: { S: 'a' } }, times: 1, probability: 0.5 },
    { kind: 'conflict', operation: 'TransactGetItems', key: { id: { S: 'a' } } },
    { kind: 'latency', ms: 0.5, table: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Orders' },
    { kind: 'expiry', lingerMs: 172_800_000, table: 'Sessions', namespace: 'worker-3' },
    { kind: 'expiry', withinMs: 0, seed: 7, forMs: 10_000 },
    { kind: 'latency', model: 'YMMR', namespace: 'worker-3', forMs: 10_000, key: { id: { B: 'AQI=' } } },
  ])('is read as it is written: %j', (rule) => {
    expect(readFaultRule(rule)).toEqual(rule);
  });

  test('may leave members out by undefined', () => {
    expect(readFaultRule({ ...LATENCY, table: undefined, worst: undefined })).toEqual(LATENCY);
  });

  test('shares nothing with what it was read from', () => {
    const json = { ...LATENCY, key: { id: { S: 'a' } } };
    const rule = readFaultRule(json);
    json.key.id.S = 'b';
    expect(rule.key).toEqual({ id: { S: 'a' } });
  });

  test('keeps a key attribute of any name', () => {
    const rule = readFaultRule(JSON.parse('{"kind":"latency","ms":1,"key":{"__proto__":{"S":"a"}}}'));
    expect(JSON.stringify(rule.key)).toBe('{"__proto__":{"S":"a"}}');
  });
});

test.each<[field: string, json: unknown, message: RegExp]>([
  ['kind', {}, /missing: one of staleness, error/],
  ['kind', { kind: 'explosion' }, /must be one of .*, not "explosion"/],
  ['kind', { kind: ['latency'] }, /not an array/],
  ['kind', { kind: 'toString' }, /not "toString"/],
  ['tabel', { ...LATENCY, tabel: 'Orders' }, /has no field "tabel"/],
  ['__proto__', JSON.parse('{"kind":"latency","ms":1,"__proto__":{}}'), /has no field "__proto__"/],
  ['when', { ...LATENCY, when: 'before' }, /no field of a rule of kind latency/],
  ['lagMs', { ...ERROR, lagMs: 5 }, /no field of a rule of kind error/],
  ['ms', { kind: 'staleness', ms: 5 }, /no field of a rule of kind staleness/],
  ['lagMs', { kind: 'staleness' }, /another of lagMs, versions, model, worst must be given/],
  ['versions', { kind: 'staleness', lagMs: 5, versions: 1 }, /not be given together with "lagMs"/],
  ['worst', { kind: 'staleness', worst: true, model: 'YMMR' }, /together with "model"/],
  ['worst', { kind: 'staleness', worst: false }, /must be true, not false/],
  ['lagMs', { kind: 'staleness', lagMs: -1 }, /milliseconds from 0 to 86400000, not -1/],
  ['lagMs', { kind: 'staleness', lagMs: '5' }, /must be a number, not "5"/],
  ['lagMs', { kind: 'staleness', lagMs: Number.NaN }, /must be a number, not NaN/],
  ['lagMs', { kind: 'staleness', lagMs: null }, /must be a number, not null/],
  ['versions', { kind: 'staleness', versions: 0 }, /whole number from 1, not 0/],
  ['versions', { kind: 'staleness', versions: 1.5 }, /whole number from 1, not 1.5/],
  ['model', { kind: 'staleness', model: 'LNKD' }, /one of LNKD-SSD, LNKD-DISK, YMMR, not "LNKD"/],
  ['operation', { kind: 'staleness', worst: true, operation: 'PutItem' }, /one that reads items .*, not PutItem/],
  ['operation', { kind: 'staleness', worst: true, operation: 'DescribeTable' }, /one that reads items/],
  ['whole', { kind: 'staleness', worst: true, index: 'by-a', whole: false }, /must be true, not false/],
  ['stream', { kind: 'staleness', worst: true, stream: 1 }, /must be true, not 1/],
  ['stream', { ...LATENCY, stream: true }, /no field of a rule of kind latency/],
  ['whole', { kind: 'staleness', worst: true, index: 'by-a', whole: true, stream: true }, /with "stream"/],
  ['index', { kind: 'staleness', worst: true, index: 'by-a', stream: true }, /with "stream"/],
  ['key', { kind: 'staleness', worst: true, key: { a: { S: 'a' } }, stream: true }, /with "stream"/],
  ['operation', { kind: 'staleness', worst: true, operation: 'GetItem', stream: true }, /with "stream"/],
  ['probability', { kind: 'staleness', worst: true, probability: 0.5, stream: true }, /with "stream"/],
  ['records', { kind: 'redelivery', records: 0 }, /whole number from 1, not 0/],
  ['operation', { kind: 'redelivery', operation: 'GetRecords' }, /no field of a rule of kind redelivery/],
  ['error', { kind: 'error', error: 'LimitExceededException', when: 'before', operation: 'PutItem' }, /PutItem can/],
  ['whole', { kind: 'staleness', worst: true, whole: true }, /is given, and no "index"/],
  ['whole', { ...LATENCY, whole: true }, /no field of a rule of kind latency/],
  ['probability', { kind: 'staleness', worst: true, index: 'by-a', whole: true, probability: 1 }, /with "whole"/],
  ['operation', { kind: 'staleness', worst: true, index: 'by-a', whole: true, operation: 'Scan' }, /with "whole"/],
  ['index', { ...LATENCY, index: 'a b' }, /an index's name, not "a b"/],
  ['index', { ...LATENCY, index: 'by-a', operation: 'GetItem' }, /GetItem reads no index/],
  ['key', { ...LATENCY, index: 'by-a', key: { id: { S: 'a' } } }, /together with "index"/],
  ['ms', { kind: 'latency' }, /another of ms, model must be given/],
  ['model', { ...LATENCY, model: 'YMMR' }, /together with "ms"/],
  ['ms', { kind: 'latency', ms: Number.POSITIVE_INFINITY }, /must be a number, not Infinity/],
  ['ms', { kind: 'latency', ms: -0.1 }, /milliseconds from 0 to 600000, not -0.1/],
  ['ms', { kind: 'latency', ms: 1e9 }, /milliseconds from 0 to 600000/],
  ['lingerMs', { kind: 'expiry' }, /another of lingerMs, withinMs must be given/],
  ['withinMs', { kind: 'expiry', lingerMs: 1, withinMs: 1 }, /together with "lingerMs"/],
  ['lingerMs', { kind: 'expiry', lingerMs: 172_800_001 }, /milliseconds from 0 to 172800000/],
  ['lingerMs', { ...LATENCY, lingerMs: 1 }, /no field of a rule of kind latency/],
  ['operation', { kind: 'expiry', lingerMs: 1, operation: 'PutItem' }, /no field of a rule of kind expiry/],
  ['key', { kind: 'expiry', lingerMs: 1, key: { a: { S: 'a' } } }, /no field of a rule of kind expiry/],
  ['probability', { kind: 'expiry', lingerMs: 1, probability: 0.5 }, /no field of a rule of kind expiry/],
  ['times', { kind: 'expiry', lingerMs: 1, times: 1 }, /no field of a rule of kind expiry/],
  ['error', { kind: 'error', when: 'before' }, /missing: one of Conditional/],
  ['error', { kind: 'error', when: 'before', error: 'Oops' }, /must be one of .*, not "Oops"/],
  ['error', { ...ERROR, error: 'TransactionConflictException', operation: 'GetItem' }, /GetItem can answer with/],
  ['error', { ...ERROR, error: 'RequestLimitExceeded', operation: 'ListTables' }, /ListTables can answer with/],
  ['when', { kind: 'error', error: 'ThrottlingException' }, /missing: before or after/],
  ['when', { kind: 'drop-connection' }, /missing: before or after/],
  ['when', { kind: 'conflict', when: 'before' }, /is no field of a rule of kind conflict/],
  ['index', { kind: 'conflict', index: 'by-a' }, /is no field of a rule of kind conflict/],
  ['operation', { kind: 'conflict', operation: 'GetItem' }, /transactions can conflict with, not GetItem/],
  [
    'operation',
    { kind: 'conflict', operation: 'BatchWriteItem' },
    /transactions can conflict with, not BatchWriteItem/,
  ],
  ['when', { kind: 'drop-connection', when: 'during' }, /one of before, after, not "during"/],
  ['table', { ...LATENCY, table: 'ab' }, /name or ARN, not "ab"/],
  ['table', { ...LATENCY, table: 5 }, /must be a text, not 5/],
  ['table', { ...LATENCY, table: 'arn:aws:s3:::bucket' }, /name or ARN/],
  ['table', { ...LATENCY, table: 'Orders', operation: 'ListTables' }, /ListTables is of no table/],
  ['operation', { ...LATENCY, operation: 'Getitem' }, /must be one of .*, not "Getitem"/],
  ['namespace', { ...LATENCY, namespace: {} }, /must be a text, not an object/],
  ['namespace', { ...LATENCY, namespace: 'x'.repeat(1_025) }, /at most 1024/],
  ['probability', { ...LATENCY, probability: 1.01 }, /from 0 to 1, not 1.01/],
  ['probability', { ...LATENCY, probability: -0.5 }, /from 0 to 1/],
  ['probability', { ...LATENCY, probability: 'often' }, /must be a number, not "often"/],
  ['seed', { ...LATENCY, seed: 0.5 }, /whole number, not 0.5/],
  ['times', { ...LATENCY, times: 0 }, /whole number from 1, not 0/],
  ['forMs', { ...LATENCY, forMs: -1 }, /milliseconds from 0/],
  ['forMs', { ...LATENCY, forMs: 0 }, /more than 0/],
  ['key', { ...LATENCY, key: 'a' }, /an item's key in DynamoDB's JSON, not "a"/],
  ['key', { ...LATENCY, key: {} }, /one or two attributes/],
  ['key', { ...LATENCY, key: { a: { S: 'a' }, b: { S: 'b' }, c: { S: 'c' } } }, /one or two attributes/],
  ['key', { ...LATENCY, key: { a: 'a' } }, /an attribute "a" like \{"S"/],
  ['key', { ...LATENCY, key: { a: { BOOL: true } } }, /an attribute "a" like/],
  ['key', { ...LATENCY, key: { a: { S: 'a', N: '1' } } }, /an attribute "a" like/],
  ['key', { ...LATENCY, key: { a: { N: 1 } } }, /an attribute "a" like/],
  ['key', { ...LATENCY, key: { a: { N: 'one' } } }, /an attribute "a" that is a number/],
  ['key', { ...LATENCY, key: { a: { B: 'no base64' } } }, /an attribute "a" that is base64/],
  ['key', { ...LATENCY, key: { a: { S: '' } } }, /an attribute "a" that is not empty/],
  ['key', { ...LATENCY, key: { '': { S: 'a' } } }, /without a name/],
  ['key', { ...LATENCY, key: { a: { S: 'a' } }, operation: 'CreateTable' }, /CreateTable is of no item/],
])('%s is refused in %j', (field, json, message) => {
  const error = refusal(json);
  expect(error.message).toMatch(message);
  expect(error.message).toContain(`"${field}"`);
  expect(error).toMatchObject({ field, status: 400 });
  expect(error.message).not.toContain('\n');
});

test.each([undefined, null, 5, 'latency', [], [LATENCY], () => {}])('%s is no rule at all', (json) => {
  expect(refusal(json).message).toMatch(/^a fault rule must be an object, not /);
});

const someText = fc.oneof(fc.string(), fc.constantFrom('Orders', 'worker-3', 'before', 'after', 'GetItem', 'YMMR'));
const keyValue = fc.oneof(
  fc.record({ S: fc.string({ minLength: 1 }) }),
  fc.record({ N: fc.integer().map(String) }),
  fc.record({ B: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString('base64')) }),
);
const scopeArb = fc.record(
  {
    table: fc.stringMatching(/^[a-zA-Z0-9_.-]{3,20}$/),
    key: fc.dictionary(fc.string({ minLength: 1 }), keyValue, { minKeys: 1, maxKeys: 2 }),
    namespace: fc.string({ maxLength: 200 }),
    probability: fc.double({ min: 0, max: 1, noNaN: true }),
    seed: fc.integer(),
    times: fc.integer({ min: 1 }),
    forMs: fc.integer({ min: 1, max: 86_400_000 }),
  },
  { requiredKeys: [] },
);
const modelArb = fc.constantFrom('LNKD-SSD', 'LNKD-DISK', 'YMMR');
const whenArb = fc.constantFrom('before', 'after');
const effectArb = fc.oneof(
  fc.record({ kind: fc.constant('staleness'), lagMs: fc.double({ min: 0, max: 86_400_000, noNaN: true }) }),
  fc.record({ kind: fc.constant('staleness'), versions: fc.integer({ min: 1 }) }),
  fc.record({ kind: fc.constant('staleness'), model: modelArb }),
  fc.constant({ kind: 'staleness', worst: true }),
  fc.record({
    kind: fc.constant('error'),
    error: fc.constantFrom('InternalServerError', 'ServiceUnavailable'),
    when: whenArb,
  }),
  fc.record({ kind: fc.constant('drop-connection'), when: whenArb }),
  fc.record({ kind: fc.constant('conflict') }),
  fc.record({ kind: fc.constant('latency'), ms: fc.integer({ min: 0, max: 600_000 }) }),
  fc.record({ kind: fc.constant('latency'), model: modelArb }),
);

describe('whatever comes in', () => {
  test('a rule that makes sense is the same after a trip as JSON', () => {
    fc.assert(
      fc.property(effectArb, scopeArb, (effect, scope) => {
        const rule = readFaultRule({ ...effect, ...scope });
        expect(readFaultRule(JSON.parse(JSON.stringify(rule)))).toEqual(rule);
        expect(JSON.parse(JSON.stringify(rule))).toEqual(JSON.parse(JSON.stringify({ ...effect, ...scope })));
      }),
    );
  });

  test('nothing but an AdminError of one line is thrown', () => {
    const anyValue = fc.oneof(fc.anything(), someText, fc.double(), fc.constant({ id: { S: 'a' } }));
    const fields = fc.constantFrom(
      ...['kind', 'table', 'operation', 'key', 'namespace', 'probability', 'seed', 'times', 'forMs', 'lagMs'],
      ...['versions', 'model', 'worst', 'ms', 'error', 'when', '__proto__', 'constructor', ''],
    );
    const broken = fc
      .tuple(effectArb, fc.dictionary(fields, anyValue))
      .map(([effect, extra]) => Object.fromEntries([...Object.entries(effect), ...Object.entries(extra)]));
    fc.assert(
      fc.property(fc.oneof(fc.anything(), broken), (json) => {
        try {
          const rule = readFaultRule(json);
          expect(readFaultRule(rule)).toEqual(rule);
        } catch (error) {
          expect(error).toBeInstanceOf(AdminError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

test('every operation on an item is one that a rule can be for by its key', () => {
  for (const operation of OPERATIONS) {
    // Scan and Query read whatever is there, and a batch is of many.
    if (operation === 'Scan' || operation === 'Query' || operation.startsWith('Batch')) continue;
    const { access, keyMember, hasKeyInText, hasActions } = OPERATION_TRAITS[operation];
    expect(access !== undefined, operation).toBe(keyMember !== undefined || hasKeyInText || hasActions === true);
  }
});
