import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { FaultRule } from '../../src/api/fault-rule.ts';
import { ConfigError } from '../../src/config.ts';
import { startDynaring } from '../../src/index.ts';
import { addFaultsOfFile } from '../../src/seed/fault-file.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { openRules } from '../router/fault-fixtures.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = temporaryDirectory();
  file = join(directory, 'faults.json');
});
const LATENCY: FaultRule = { kind: 'latency', ms: 5, seed: 1 };

function refusal(text: string): string {
  writeFileSync(file, text);
  const { rules } = openRules({ whyNoReplicaLags: 'a write waits for every replica (N=3, W=3)' });
  try {
    addFaultsOfFile(file, (rule) => rules.add(rule));
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('was accepted');
}

test.each([
  ['one rule', LATENCY, ['f1']],
  ['an array of rules', [LATENCY, { kind: 'drop-connection', when: 'after' }], ['f1', 'f2']],
  ['an empty array', [], []],
])('%s is put into force', (_, json, ids) => {
  writeFileSync(file, JSON.stringify(json));
  const { rules } = openRules();
  addFaultsOfFile(file, (rule) => rules.add(rule));
  expect(rules.list().map(({ id }) => id)).toEqual(ids);
});

test('a mark that an editor put before it is passed over', () => {
  writeFileSync(file, `\uFEFF${JSON.stringify(LATENCY)}`);
  const { rules } = openRules();
  addFaultsOfFile(file, (rule) => rules.add(rule));
  expect(rules.list()).toMatchObject([{ rule: LATENCY }]);
});

test.each([
  ['{"kind":"latency","ms":-1}', ': "ms" must be milliseconds from 0 to 600000, not -1'],
  [`[${JSON.stringify(LATENCY)},{"kind":"boom"}]`, /, rule 2 of 2: "kind" must be one of .*, not "boom"$/],
  ['[5]', ', rule 1 of 1: a fault rule must be an object, not 5'],
  ['{"kind":"staleness","worst":true}', /: "kind" cannot be staleness here/],
  ['{"kind":\n"latency",}', / is not JSON: .*$/],
  ['', / is not JSON: /],
])('%j is refused with the name of the file', (text, message) => {
  const found = refusal(text);
  expect(found.startsWith(`--faults ${file}`)).toBe(true);
  expect(found).not.toContain('\n');
  if (typeof message === 'string') expect(found).toBe(`--faults ${file}${message}`);
  else expect(found).toMatch(message);
});

test('a file that is not there is named, and nothing is left running', async () => {
  const starting = startDynaring({ faultsFile: join(directory, 'none.json') });
  await expect(starting).rejects.toThrow(/^--faults .*none\.json cannot be read: ENOENT/);
  await expect(starting).rejects.toBeInstanceOf(ConfigError);
});

test('rules are in force from the first request', async () => {
  writeFileSync(file, JSON.stringify({ kind: 'error', error: 'InternalServerError', when: 'before', times: 1 }));
  await using server = await startDynaring({ faultsFile: file });
  const listTables = () =>
    fetch(server.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': 'DynamoDB_20120810.ListTables',
        'x-amz-date': '20260101T000000Z',
        authorization:
          'AWS4-HMAC-SHA256 Credential=any/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      },
      body: '{}',
    });
  expect((await listTables()).status).toBe(500);
  expect((await listTables()).status).toBe(200);
});
