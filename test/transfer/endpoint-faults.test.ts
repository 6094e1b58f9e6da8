import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/transfer/transfer-limits.ts';
import { fakeEndpoint, idsPut, type Received, type Reply, refusal, signatureFor } from './fake-endpoint.ts';
import { run } from './test-world.ts';

const lines = (count: number) => Array.from({ length: count }, (_, at) => `{"Item":{"id":{"S":"${at}"}}}\n`).join('');

const importInto = (endpoint: string, stdin: string, args: readonly string[] = [], env = {}) =>
  run('import', ['-', '--table', 'T', '--endpoint', endpoint, ...args], stdin, env);

describe('an endpoint', () => {
  test('that throttles, fails, cuts and damages is asked again until all is written', async () => {
    const faults: Reply[] = [
      refusal(400, 'ProvisionedThroughputExceededException'),
      refusal(400, 'ThrottlingException'),
      refusal(500, 'InternalServerError'),
      refusal(503, 'ServiceUnavailable'),
      { kind: 'cut' },
      { status: 200, body: {}, checksum: 1 },
    ];
    const asked = new Map<string, number>();
    const endpoint = await fakeEndpoint(({ operation, body }) => {
      if (operation !== 'BatchWriteItem') return undefined;
      const count = asked.get(body) ?? 0;
      asked.set(body, count + 1);
      return faults[count];
    });
    const { seen } = await importInto(endpoint, lines(100), ['--concurrency', '3']);
    expect([...asked.values()]).toEqual(Array.from({ length: 4 }, () => faults.length + 1));
    expect(seen).toMatch(/imported 100 items into T/);
  });

  test('whose scan is throttled is read to the end', async () => {
    let throttled = 0;
    const endpoint = await fakeEndpoint(({ operation, request }) => {
      if (operation !== 'Scan') return undefined;
      if (throttled++ % 3 < 2) return refusal(400, 'ProvisionedThroughputExceededException');
      const from = Number((request.ExclusiveStartKey as { id: { S: string } })?.id.S ?? '0');
      const id = { id: { S: String(from + 1) } };
      return { status: 200, body: { Items: [id], ...(from < 4 && { LastEvaluatedKey: id }) } };
    });
    const { printed } = await run('export', ['--table', 'T', '--segments', '1', '--endpoint', endpoint]);
    expect(printed).toBe([1, 2, 3, 4, 5].map((id) => `{"Item":{"id":{"S":"${id}"}}}\n`).join(''));
  });

  test('that goes on failing ends the import with the line it failed at', async () => {
    let attempts = 0;
    const endpoint = await fakeEndpoint(({ operation, body }) => {
      if (operation !== 'BatchWriteItem' || !body.includes('"25"')) return undefined;
      attempts++;
      return refusal(400, 'ThrottlingException', 'Too\nfast');
    });
    await expect(importInto(endpoint, lines(30))).rejects.toThrow(
      `-:26: ${endpoint} failed ${LIMITS.maxAttempts} times, at last with ThrottlingException: Too fast`,
    );
    expect(attempts).toBe(LIMITS.maxAttempts);
  });

  test('that throttles is not waited for once the import has failed', async () => {
    let attempts = 0;
    const endpoint = await fakeEndpoint(({ operation, body }) => {
      if (operation !== 'BatchWriteItem' || !body.includes('"25"')) return undefined;
      attempts++;
      return refusal(400, 'ThrottlingException');
    });
    // The line before is written, so that the report comes to the bad one, while what comes after is throttled.
    const after = Array.from({ length: 25 }, (_, at) => `{"Item":{"id":{"S":"${at + 25}"}}}\n`).join('');
    await expect(importInto(endpoint, `${lines(25)}x\n${after}`)).rejects.toThrow(/^-:26: it is no JSON/);
    expect(attempts).toBeLessThan(LIMITS.maxAttempts / 2);
  });

  test('that refuses for another reason than the item is not asked twice, nor are lines skipped', async () => {
    const attempts: string[] = [];
    const endpoint = await fakeEndpoint((received) => {
      if (idsPut(received) === undefined) return undefined;
      attempts.push(received.operation);
      return refusal(400, 'AccessDeniedException', 'no');
    });
    const importing = importInto(endpoint, lines(4), ['--skip-bad-lines', '--concurrency', '1']);
    await expect(importing).rejects.toThrow('-:1: AccessDeniedException: no');
    // Who may not write many at a time may be allowed to write one.
    expect(attempts).toEqual(['BatchWriteItem', 'PutItem']);
  });

  test('that is no DynamoDB, or does not answer at all, is told', async () => {
    const web = await fakeEndpoint(() => ({ status: 404, body: { error: 'not found' } }));
    await expect(importInto(web, lines(1))).rejects.toThrow(/HTTP status 404: this seems to be no DynamoDB endpoint/);
    const gone = importInto('http://127.0.0.1:9', lines(1));
    await expect(gone).rejects.toThrow('nothing answers at http://127.0.0.1:9 (ECONNREFUSED)');
  });

  test('without the table is asked whether another one was meant', async () => {
    const endpoint = await fakeEndpoint(({ operation }) => {
      if (operation === 'DescribeTable') return refusal(400, 'ResourceNotFoundException');
      return operation === 'ListTables' ? { status: 200, body: { TableNames: ['orders', 'Music'] } } : undefined;
    });
    const args = (table: string) => ['-', '--table', table, '--endpoint', endpoint];
    const where = `at ${endpoint}`;
    await expect(run('import', args('Orders'))).rejects.toThrow(`no table Orders ${where}; did you mean orders?`);
    await expect(run('import', args('Songs'))).rejects.toThrow(`no table Songs ${where}; --create FILE makes one`);
    const exporting = run('export', ['--table', 'Muscic', '--endpoint', endpoint]);
    await expect(exporting).rejects.toThrow(`no table Muscic ${where}; did you mean Music?`);
  });

  test('gets requests that are signed as the service demands', async () => {
    const requests: Received[] = [];
    const endpoint = await fakeEndpoint((received) => {
      requests.push(received);
      return undefined;
    });
    const env = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' };
    await importInto(endpoint, '{"Item":{"id":{"S":"é"}}}', ['--region', 'eu-west-1'], env);
    expect(requests.map(({ operation }) => operation)).toEqual(['DescribeTable', 'PutItem']);
    for (const request of requests) {
      const { authorization, 'x-amz-security-token': token } = request.headers;
      expect(authorization).toMatch(/Credential=AKID\/\d{8}\/eu-west-1\/dynamodb\/aws4_request/);
      expect(authorization).toContain(`Signature=${signatureFor(request, 'secret')}`);
      expect(token).toBe('token');
    }
  });
});
