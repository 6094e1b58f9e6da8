import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RECIPES = fileURLToPath(new URL('../examples/recipes/', import.meta.url));
const BIN = fileURLToPath(new URL('../node_modules/', import.meta.url));

/** What Node prints for these arguments in a recipe's folder, as a user would run it: not told that tests run it. */
async function node(folder: string, ...args: string[]): Promise<string> {
  const { PATH } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: RECIPES + folder, env: { PATH } });
  return stdout;
}

test('vitest: one server, a namespace for each file, and faults on a server of their own', async () => {
  const report = JSON.parse(await node('vitest', `${BIN}vitest/vitest.mjs`, 'run', '--reporter=json'));
  expect(report).toMatchObject({ success: true, numPassedTests: 6, numTotalTests: 6 });
});

test('jest: one server, a namespace for each worker', async () => {
  const report = JSON.parse(await node('jest', `${BIN}jest/bin/jest.js`, '--json'));
  expect(report).toMatchObject({ success: true, numPassedTests: 4, numTotalTests: 4 });
});

test('jest: the files of one worker do not see what others left', async () => {
  const report = JSON.parse(await node('jest', `${BIN}jest/bin/jest.js`, '--json', '--runInBand'));
  expect(report).toMatchObject({ success: true, numPassedTests: 4, numTotalTests: 4 });
});

test('node:test: a server for each file, and for each test what it begins with', async () => {
  expect(await node('node-test', '--test', '--test-reporter=tap')).toMatch(/^# pass 4\n# fail 0$/m);
});

test('Testcontainers: the syntax is right; it needs a Docker engine to run', async () => {
  expect(await node('.', '--check', 'testcontainers.mjs')).toBe('');
});

test('GitHub Actions: a service on the port that the steps are told', () => {
  const { jobs } = parse(readFileSync(`${RECIPES}github-actions.yml`, 'utf8'));
  const { services, env, steps } = jobs.test;
  expect(services.dynaring.ports).toEqual(['8000:8000']);
  expect(env.AWS_ENDPOINT_URL_DYNAMODB).toBe('http://127.0.0.1:8000');
  expect(steps.at(-1)).toEqual({ run: 'npm test' });
});

test('compose: the image in the place of DynamoDB Local, with its arguments, and data in a volume where those put it', () => {
  const { services, volumes } = parse(readFileSync(`${RECIPES}compose.yaml`, 'utf8'));
  const { command, working_dir: folder, volumes: mounts, ports } = services.dynamodb;
  const [volume, target] = mounts[0].split(':');
  expect(Object.keys(volumes)).toEqual([volume]);
  expect(join(folder, /-dbPath (\S+)/.exec(command)![1]!)).toBe(target);
  expect(ports).toEqual(['8000:8000']);
  const dockerfile = readFileSync(`${ROOT}Dockerfile`, 'utf8');
  expect(dockerfile).toContain(`WORKDIR ${folder}\n`);
  // Without one, `service_healthy` waits for ever.
  expect(services.tables.depends_on.dynamodb.condition).toBe('service_healthy');
  expect(dockerfile).toMatch(/^HEALTHCHECK /m);
});
