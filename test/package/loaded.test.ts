import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type InstalledPackage, installPackage, programPath } from './installed-package.ts';

let installed: InstalledPackage;
beforeAll(() => {
  installed = installPackage([]);
});
afterAll(() => installed?.remove());

const PROGRAM = `
startDynaring().then(async (dynaring) => {
  console.log((await fetch(dynaring.endpoint + '/health')).status);
  await dynaring.stop();
});
`;

test('import', () => {
  installed.write({ 'program.mjs': `import { startDynaring } from 'dynaring';${PROGRAM}` });
  expect(installed.run('program.mjs')).toBe('200\n');
});

test('require, without a warning', () => {
  installed.write({ 'program.cjs': `const { startDynaring } = require('dynaring');${PROGRAM}` });
  expect(installed.run('program.cjs')).toBe('200\n');
});

test('both are one module, and package.json is there', () => {
  installed.write({
    'both.mjs': `
      import { createRequire } from 'node:module';
      import { ConfigError } from 'dynaring';
      const require = createRequire(import.meta.url);
      console.log(require('dynaring').ConfigError === ConfigError, require('dynaring/package.json').name);`,
  });
  expect(installed.run('both.mjs')).toBe('true dynaring\n');
});

test.each([['in processes'], ['in one process', '--runInBand'], ['in threads', '--workerThreads']])(
  'require inside of a test of Jest, %s',
  (_, ...args) => {
    const text = `
      const { ConfigError, startDynaring } = require('dynaring');
      test('a server', async () => {
        const dynaring = await startDynaring({ nodes: 1 });
        expect((await fetch(dynaring.endpoint + '/health')).status).toBe(200);
        await dynaring.stop();
        await expect(startDynaring({ nodes: 0 })).rejects.toThrow(ConfigError);
      });`;
    installed.write({ 'one.test.js': text, 'two.test.js': text, 'jest.config.json': '{ "transform": {} }' });
    expect(installed.run(programPath('jest/bin/jest.js'), '--ci', ...args)).toMatch(/^Tests: +2 passed, 2 total$/m);
  },
);

test('the command that npm links', () => {
  const { bin } = JSON.parse(readFileSync(join(installed.path, 'package.json'), 'utf8'));
  expect(installed.run(`node_modules/dynaring/${bin.dynaring}`, '--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe('a Node that is too old', () => {
  /** Stands in for one: what comes before the check may use nothing that it has not. */
  const OLD = "Object.defineProperty(process.versions, 'node', { value: '18.20.8' });";
  const NEEDED = 'dynaring needs Node 20.19 or later, and this is Node 18.20.8\n';
  beforeAll(() => installed.write({ 'old.cjs': OLD }));

  const runOld = (...args: string[]) =>
    spawnSync(process.execPath, ['--require', join(installed.folder, 'old.cjs'), ...args], {
      cwd: installed.folder,
      encoding: 'utf8',
    });

  test.each([['cli.cjs'], ['check-node.cjs']])('ends %s with one line and status 1', (file) => {
    const { status, stdout, stderr } = runOld(join(installed.path, 'commonjs', file), '--version');
    expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: '', stderr: NEEDED });
  });

  test('is what require throws of', () => {
    installed.write({ 'require.cjs': "try { require('dynaring'); } catch ({ message }) { console.log(message); }" });
    expect(runOld('require.cjs').stdout).toBe(NEEDED);
  });

  test('is found by each script of npm that a newcomer types, before anything else', () => {
    const { scripts } = JSON.parse(readFileSync(join(installed.path, 'package.json'), 'utf8'));
    expect(scripts.build).toMatch(/^node commonjs\/check-node\.cjs && /);
    // npm runs these by itself: `npm ci`, `npm start` and `npm test` end at them.
    for (const name of ['prepare', 'prestart', 'pretest']) expect(scripts[name]).toBe('npm run -s build');
  });

  test('needs nothing newer than Node 10 has, of language or modules, to say so', () => {
    for (const file of ['cli.cjs', 'check-node.cjs']) {
      const text = readFileSync(join(installed.path, 'commonjs', file), 'utf8');
      expect(text).not.toMatch(/\?\.[\w[(]|\?\?|\|\|=|&&=|node:|^import |^export |await /m);
    }
  });
});

/** Asks until the server answers. Not by the console: what is printed there goes to the server's log, which is silent. */
const PROBE = `
  const [{ get }, { Module }] = ['node:http', 'node:module'].map((name) => process.getBuiltinModule(name));
  const answered = ({ statusCode }) => {
    const loaded = [...process.moduleLoadList, ...Object.keys(Module._cache)];
    const heavy = loaded.filter((name) => /undici|node_modules.(ajv|express|prom-client|jsonc-parser)\\b/.test(name));
    process.stdout.write(JSON.stringify({ statusCode, heavy, rssMb: process.memoryUsage.rss() / 2 ** 20 }));
    process.exit();
  };
  const ask = () => get('http://127.0.0.1:18765/health', answered).on('error', () => setTimeout(ask, 100));
  ask();
  setTimeout(() => process.exit(1), 20_000).unref();
`;

test('the command is small while nobody asks for more than its health', () => {
  installed.write({ 'probe.mjs': PROBE });
  const command = ['node_modules/dynaring/dist/cli.js', '--port', '18765', '--log-level', 'silent'];
  const { statusCode, heavy, rssMb } = JSON.parse(installed.run('--import', './probe.mjs', ...command));
  expect({ statusCode, heavy }).toEqual({ statusCode: 200, heavy: [] });
  expect(rssMb).toBeLessThan(80);
});
