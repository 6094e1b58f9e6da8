import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { pythonWithBoto3, Scratch } from './scratch.ts';
import { MARKS, missingInCi, patternOf, ROOT, type Snippet, snippetsOf } from './snippets.ts';

/** The README has a test of its own, `follow-readme.ts`, for it begins with a clone. */
const PAGES = [
  'docs/faults.md',
  ...readdirSync(join(ROOT, 'docs/guide'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/guide/${file}`),
];

/** With this, as in `.ci/run`, a snippet may not go unrun because a tool is missing on this machine. */
const MUST_RUN_ALL = process.env.DYNARING_TEST_ALL === '1';

const python = pythonWithBoto3();

test.each(['README.md', 'CONTRIBUTING.md', ...PAGES])('%s has only snippets that something runs', (page) => {
  const unknown = snippetsOf(page)
    .filter(({ language, mark }) => !MARKS[language]?.includes(mark))
    .map(({ at, language, mark }) => `${at}: ${language} ${mark}`);
  expect(unknown).toEqual([]);
});

test.each(['README.md', 'CONTRIBUTING.md'])('%s says of what .ci/run does only what it does', (page) => {
  const snippets = snippetsOf(page).filter(({ mark }) => mark === 'ci');
  expect(snippets.length).toBeGreaterThan(0);
  for (const snippet of snippets) expect(missingInCi(snippet), snippet.at).toEqual([]);
});

test('README.md has both commands of a newcomer on its first screen', () => {
  const first = snippetsOf('README.md').filter(({ at }) => Number(at.split(':')[1]) < 30);
  expect(first.map(({ text }) => text.trim())).toEqual([
    'git clone <this repository> dynaring && cd dynaring',
    'npm ci && npm test',
    'npm ci && npm start',
  ]);
});

const UNRUN = ['docker', 'cloud'];

test.each(PAGES)('%s names what of it is not run', (page) => {
  const unrun = snippetsOf(page).filter(({ language, mark }) => UNRUN.includes(mark) || language === 'yaml');
  if (unrun.length === 0) return;
  expect(readFileSync(join(ROOT, page), 'utf8')).toMatch(/syntax\s+alone/);
});

describe.each(PAGES)('%s', (page) => {
  const snippets = snippetsOf(page);
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await Scratch.open();
  });
  afterAll(() => scratch.close());

  for (const snippet of snippets) {
    const title = `${snippet.at} ${snippet.language} ${snippet.mark}`.trimEnd();
    // Python and its SDK are not part of Node: without them the rest of the tests are worth running still.
    if (snippet.language === 'python' && python === undefined && !MUST_RUN_ALL) test.skip(title);
    else test(title, () => check(snippet, scratch));
  }
});

async function check(snippet: Snippet, scratch: Scratch): Promise<void> {
  const { language, mark, text, printed, at } = snippet;
  const expectOutput = (output: string) => {
    if (printed !== undefined) expect(output.trimEnd(), at).toMatch(patternOf(scratch.adapted(printed)));
  };
  const expectSuccess = async (command: string, ...args: string[]) => {
    const { status, output } = await scratch.run(command, ...args);
    expect(status, output).toBe(0);
    expectOutput(output);
  };
  switch (language) {
    case 'js': {
      await scratch.ensureServer();
      const file = mark === 'cjs' ? 'snippet.cjs' : 'snippet.mjs';
      // A whole program begins with its imports.
      const isProgram = mark === 'cjs' || (/^import /m.test(text) && !/^(beforeEach|afterAll)\(/m.test(text));
      writeFileSync(join(scratch.folder, file), scratch.adapted(isProgram ? text : asProgram(text)));
      return expectSuccess(process.execPath, file);
    }
    case 'python':
      await scratch.ensureServer();
      return expectSuccess(python ?? 'python3', '-c', scratch.adapted(text));
    case 'sh':
      if (mark === 'docker' || mark === 'cloud' || mark === 'npm') return expectSuccess('bash', '-n', '-c', text);
      if (mark === 'server') return expectOutput(await scratch.serve(text));
      await scratch.ensureServer();
      return expectSuccess('bash', '-euo', 'pipefail', '-c', scratch.adapted(text));
    case 'json':
      expect(JSON.parse(text)).toBeTypeOf('object');
      return;
    case 'yaml':
      expect(parse(text)).toBeTypeOf('object');
      return;
    default:
      // What is printed by something else than the block above is compared where that is tested.
      expect(text).not.toBe('');
  }
}

const HOOKS = ['beforeEach', 'afterAll'];
const SDK = ['DynamoDBClient', 'GetItemCommand', 'PutItemCommand'];

/** A program of some lines, with what they take for granted. */
function asProgram(lines: string): string {
  const declares = (name: string) =>
    new RegExp(`\\b(const|let|using) ${name}\\b|import [^;]*\\b${name}\\b`).test(lines);
  const missing = (names: readonly string[]) => names.filter((name) => !declares(name));
  const db = "const db = await startDynaring();\nawait db.seed('examples/orders.json');";
  const client = 'const client = new DynamoDBClient(db.clientConfig());';
  return [
    `import { ${missing(SDK).join(', ')} } from '@aws-sdk/client-dynamodb';`,
    `import { ${missing(['startDynaring']).join(', ')} } from 'dynaring';`,
    'const hooks = [];',
    ...missing(HOOKS).map((name) => `const ${name} = (hook) => hooks.push(hook);`),
    declares('db') ? '' : db,
    declares('client') || declares('db') ? '' : client,
    lines,
    'for (const hook of hooks) await hook();',
    'await db.stop();',
  ].join('\n');
}
