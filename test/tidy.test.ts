import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { OPERATIONS } from '../src/api/operations.ts';
import { IndexBuilder } from '../src/router/index-builder.ts';
import { createOperationTable } from '../src/router/operation-table.ts';
import { StreamKeeper } from '../src/router/stream-keeper.ts';
import { TableCatalog } from '../src/router/table-catalog.ts';
import { MemoryClient } from './router/memory-client.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ENTRIES = ['src/cli.ts', 'src/index.ts'];
/**
 * What only tests and simulations run on: the twins of what `env` has for the real world.
 */
const TWINS = ['src/env/memory-store.ts'];

/** Used by nobody in src: what users of the library call, and small parts that simulations share with the code. */
const FOR_OTHERS = [
  'src/peer/leaving.ts: DEFAULT_LEAVING_LIMITS',
  'src/peer/leaving.ts: Leaving',
  'src/peer/mover.ts: Mover',
  'src/index.ts: startDynaring',
  'src/env/log.ts: silentLog',
  'src/env/random.ts: randomBelow',
  'src/env/peer-transport.ts: helloOf',
];

/** What each room may import: rooms, single files, and packages. docs/ARCHITECTURE.md gives the reasons. */
const MAY_IMPORT: Record<string, RegExp> = {
  api: /^src\/api\//,
  web: /^src\/(web|api)\/|^node:/,
  router: /^src\/(router|api)\/|^src\/dynamo\/(client|stream-client|versioned-item|transaction-client)\.ts$/,
  dynamo:
    /^src\/dynamo\/|^src\/api\/(mutation|item|item-part|primary-key|delay-model|derivation|index-entry|entry-place|attribute-value|table-definition|departure)\.ts$|^src\/env\/(env|clock|random|log|store|transport)\.ts$|^node:(crypto|assert)$/,
  wire: /^src\/(wire|api)\/|^src\/dynamo\/(messages|coordination-messages|coordinating-node|peer-hello|client|stream-client|record|ballot|ring|registers\/handed-back|derived\/settled)\.ts$|^src\/env\/(codec|peer-channel)\.ts$|^node:(assert|buffer)$/,
  env: /^src\/env\/|^node:|^lmdb$/,
  config:
    /^src\/config(\/|\.ts$)|^src\/(dynamo\/(client|node-settings)|env\/(log|peer-channel|peer-record)|router\/namespace|web\/(web-limits|request-log|limited-server|signature)|api\/duration)\.ts$|^node:(util|fs|tls)$/,
  // Of env what it is handed: interfaces, and two files that only wrap those.
  peer: /^src\/(peer|dynamo)\/|^src\/api\/(item|mutation|departure)\.ts$|^src\/env\/(env|clock|random|log|store|transport|codec|peer-channel|peer-record|stoppable-clock|store-damage)\.ts$/,
  host: /^src\/(host|peer|dynamo|env)\/|^node:/,
  trace: /^src\/(trace|api|dynamo)\/|^src\/env\/(faulty-network|store)\.ts$/,
  seed: /^src\/(seed|api)\/|^src\/config\.ts$|^src\/router\/(router|namespace|in-parallel)\.ts$|^src\/web\/(schema|validate)\.ts$|^src\/env\/log\.ts$|^node:/,
  admin:
    /^node:util$|^src\/(admin|peer|host|trace|api)\/|^src\/config\.ts$|^src\/dynamo\/(client|ring-error)\.ts$|^src\/web\/metrics\.ts$/,
  // The parts above a ring, put together: of `host` it knows what may be asked of nodes, of `peer` what a ring is.
  serving:
    /^src\/(serving|api|web|router|admin|seed|trace|config|peer|dynamo|env)\/|^src\/config\.ts$|^src\/host\/(ring-control|disk-watch)\.ts$|^src\/wire\/hello\.ts$|^node:/,
  inspect:
    /^src\/(inspect|api|dynamo)\/|^src\/peer\/(founding|node-name)\.ts$|^src\/env\/(data-directory|peer-directory|stored-rows|store)\.ts$|^src\/config\/(help-lines|nearest|config-error)\.ts$|^src\/router\/(definition-item|stream-rows)\.ts$|^node:util$/,
  transfer: /^src\/(transfer|api)\/|^src\/config\/(nearest|help-lines)\.ts$|^node:/,
  root: /^src\/|^node:/,
};
/** Packages that a single file of the room may know. */
const MAY_KNOW: Record<string, string> = {
  'src/api/entry-place.ts': 'node:crypto',
  'src/api/partiql/next-token.ts': 'node:crypto',
  'src/api/transaction-digest.ts': 'node:crypto',
  'src/web/server.ts': 'express',
  'src/web/admin-app.ts': 'express',
  'src/web/metrics.ts': 'prom-client',
  'src/web/peer-metrics.ts': 'prom-client',
  'src/web/validate.ts': 'ajv',
  'src/web/signature.ts': 'aws4',
  'src/seed/seed.ts': 'jsonc-parser',
  'src/seed/seed-document.ts': 'jsonc-parser',
  'src/seed/seed-table.ts': 'jsonc-parser',
  'src/transfer/sign.ts': 'aws4',
  'src/transfer/csv-records.ts': 'csv-parse',
};

/** A file with more lines than this is to be split. */
const MAX_LINES = 400;

/** Beside `env`. The composition root draws the ids of requests, clusters and disks; `transfer` has an edge of its own. */
const MAY_TOUCH_THE_WORLD = [
  'src/cli.ts',
  'src/serve.ts',
  'src/host/found-cluster.ts',
  'src/serving/build-router.ts',
  'src/serving/request-ids.ts',
  'src/transfer/world.ts',
];

/** Whose section is meant: the last of these names before the word, within so many characters. */
const OWNERS = /protocol\.md|\bpaper\b|\bpapers?'s\b|\bRFC \d+|\bVLDB\b|\bits(?= $)/g;
const OWNER_WITHIN = 60;

interface Import {
  readonly target: string;
  readonly isType: boolean;
}

interface Source {
  readonly path: string;
  readonly room: string;
  readonly imports: readonly Import[];
  /** Without comments and texts. */
  readonly code: string;
  readonly lines: number;
}

const SOURCES: readonly Source[] = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => readSource(join('src', path)));

/** Whatever may cite the specification, each as one line: a citation may go on in the next line of a comment. */
const CITING = [
  ...['src', 'test', 'bench', 'docs'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  ),
  ...['README.md', 'CONTRIBUTING.md'],
]
  .filter((path) => /\.(ts|mjs|story|md)$/.test(path) && path !== 'test/tidy.test.ts')
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8').replace(/\s*\n\s*(?:\*|\/\/|#)? */g, ' ') }));

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const folders = path.split('/');
  const room = folders.length > 2 ? folders[1]! : 'root';
  const found = text.matchAll(
    /^(import|export)( type)?\b[^;'"]*?from '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gm,
  );
  const imports = [...found].map(([, , type, from, lazily, bare]) => {
    const target = (from ?? lazily ?? bare)!;
    return { target: target.startsWith('.') ? join(dirname(path), target) : target, isType: type !== undefined };
  });
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, '');
  return { path, room, imports, code, lines: text.split('\n').length - 1 };
}

describe('the rooms of src', () => {
  test('import only what their row of the table allows', () => {
    const broken = SOURCES.flatMap(({ path, room, imports }) =>
      imports
        .filter(({ target }) => !MAY_IMPORT[room]?.test(target) && MAY_KNOW[path] !== target.split('/')[0])
        .map(({ target }) => `${path} imports ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('have no cycle of imports', () => {
    const byPath = new Map(SOURCES.map((source) => [source.path, source]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      if (done.has(path) || trail.includes(path)) return;
      for (const { target } of byPath.get(path)?.imports ?? []) visit(target, [...trail, path]);
      done.add(path);
    };
    for (const { path } of SOURCES) visit(path, []);
    expect(cycles).toEqual([]);
  });

  test('import files that exist, and leave none unused', () => {
    const imported = new Set(SOURCES.flatMap(({ imports }) => imports.map(({ target }) => target)));
    const missing = [...imported].filter((target) => target.startsWith('src/') && !existsSync(join(ROOT, target)));
    expect(missing).toEqual([]);
    const unused = SOURCES.map(({ path }) => path).filter(
      (path) => !imported.has(path) && ![...ENTRIES, ...TWINS].includes(path),
    );
    expect(unused).toEqual([]);
  });

  test('export no value, and have no method, that only tests use', () => {
    // A member of a class or an interface, as it is declared.
    const declared = /^ {2}(?:(?:static|readonly|async|override|get|set) |\*)*([a-z]\w*)(?:<[^>\n]*>)?(?:\(|\??:)/gm;
    const uses = new Map<string, number>();
    for (const { code } of SOURCES) {
      const words = code.replaceAll(declared, '').match(/#?[A-Za-z_$][\w$]*/g) ?? [];
      for (const word of words) uses.set(word, (uses.get(word) ?? 0) + 1);
    }
    const unused = SOURCES.filter(({ path }) => !TWINS.includes(path)).flatMap(({ path, code }) => {
      const classes = [...code.matchAll(/^(?:export )?class [\s\S]*?^}/gm)].map(([body]) => body);
      const members = classes.flatMap((body) => [...body.matchAll(declared)].map(([, name]) => name!));
      const values = [...code.matchAll(/^export (?:async )?(?:function\*?|const|class) (\w+)/gm)].map(
        ([, name]) => name!,
      );
      return [
        ...members.filter((name) => name !== 'constructor' && !uses.has(name)),
        ...values.filter((name) => uses.get(name) === 1),
      ].map((name) => `${path}: ${name}`);
    });
    expect(unused.filter((found) => !FOR_OTHERS.includes(found))).toEqual([]);
  });

  test('take time, chance and the process from env alone', () => {
    const banned =
      /\bDate\b(?!Time)|\bMath\.random\b|\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bperformance\b|\bprocess\.|\brandom(Bytes|UUID|Int|FillSync)\b/;
    const broken = SOURCES.filter(({ path, room }) => room !== 'env' && !MAY_TOUCH_THE_WORLD.includes(path))
      .map(({ path, code }) => ({ path, call: banned.exec(code)?.[0] }))
      .filter(({ call }) => call !== undefined);
    expect(broken).toEqual([]);
  });

  test(`have at most ${MAX_LINES} lines in a file`, () => {
    const tooLong = SOURCES.filter(({ lines }) => lines > MAX_LINES).map(({ path }) => path);
    expect(tooLong).toEqual([]);
  });

  test('have names that no other file has', () => {
    const names = SOURCES.map(({ path }) => basename(path));
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  test('use no default export, enum or barrel', () => {
    const broken = SOURCES.filter(
      ({ path, code }) =>
        /\bexport default\b|^(export )?(const )?enum \w/m.test(code) ||
        (/^export \* from/m.test(code) && path !== 'src/index.ts'),
    ).map(({ path }) => path);
    expect(broken).toEqual([]);
  });
});

describe('an operation has one name everywhere', () => {
  const names = (folder: string, suffix: string) =>
    readdirSync(join(ROOT, folder))
      .filter((file) => file.endsWith(suffix) && /^[A-Z]/.test(file))
      .map((file) => file.slice(0, -suffix.length))
      .sort();

  test('in api-schema', () => expect(names('api-schema', '.json')).toEqual([...OPERATIONS].sort()));

  test('in test/conformance', () => expect(names('test/conformance', '.test.ts')).toEqual([...OPERATIONS].sort()));

  test('as a handler of the router', () => {
    const client = new MemoryClient();
    const catalog = new TableCatalog(client);
    const handlers = createOperationTable({
      client,
      streams: client.streams,
      catalog,
      streamShards: 1,
      timeOf: (atMs) => atMs,
      keeper: new StreamKeeper({
        client,
        streams: client.streams,
        catalog,
        newStreams: { newId: randomUUID, streamShards: 1 },
        nowMs: () => 0,
        wait: undefined,
      }),
      indexes: new IndexBuilder({ client, catalog, newId: randomUUID, wait: undefined }),
      newId: randomUUID,
      consistency: 'strict',
      throughput: undefined,
      transientMs: 0,
      pause: async () => {},
    });
    const found = Object.entries(handlers).map(([name, handler]) => [name, handler.name]);
    expect(found).toEqual([...OPERATIONS].sort().map((name) => [name, name[0]!.toLowerCase() + name.slice(1)]));
  });
});

test('every test file is in exactly one lane', () => {
  const listed = ['vitest.config.ts', 'vitest.hosts.config.ts'].flatMap((config): { file: string }[] => {
    const list = ['node_modules/vitest/vitest.mjs', 'list', '--config', config, '--filesOnly', '--json'];
    return JSON.parse(execFileSync(process.execPath, list, { cwd: ROOT, encoding: 'utf8' }));
  });
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(ROOT, 'test', path));
  expect(listed.map(({ file }) => file).sort()).toEqual(files.sort());
});

test('the documents link to files and headings that exist', () => {
  const documents = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...listMarkdown('docs')];
  const broken = documents.flatMap((document) => {
    const links = readFileSync(join(ROOT, document), 'utf8').matchAll(/\]\((?!https?:)([^)#]*)(#[^)]+)?\)/g);
    return [...links]
      .filter(([, link, anchor]) => {
        const target = link === '' ? document : join(dirname(document), link!);
        if (!existsSync(join(ROOT, target))) return true;
        return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).includes(anchor);
      })
      .map(([, link, anchor = '']) => `${document}: ${link}${anchor}`);
  });
  expect(broken).toEqual([]);
});

/** What a link may name in a document: its headings, as GitHub turns them into anchors. */
function anchorsOf(document: string): string[] {
  const headings = readFileSync(join(ROOT, document), 'utf8').matchAll(/^#+ (.+)$/gm);
  return [...headings].map(
    ([, heading]) =>
      `#${heading!
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-')}`,
  );
}

test('the documents name files that exist', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', ...listMarkdown('docs')];
  const missing = documents.flatMap((document) => {
    const named = readFileSync(join(ROOT, document), 'utf8').matchAll(
      /`((?:src|test|api-schema|bench|scripts|examples)\/[\w./-]+)`/g,
    );
    return [...named]
      .map(([, path]) => path!)
      .filter((path) => !/\b(Query|NAME|query-operation)\b/.test(path) && !existsSync(join(ROOT, path)))
      .map((path) => `${document}: ${path}`);
  });
  expect(missing).toEqual([]);
});

function listMarkdown(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join(folder, path));
}

describe('citations of the specification', () => {
  const protocol = readFileSync(join(ROOT, 'docs/protocol.md'), 'utf8');
  const rowsOf = (pattern: RegExp) => new Set([...protocol.matchAll(pattern)].map(([, name]) => name!));
  const sections = rowsOf(/^##+ ([\d.]+?)\.? /gm);
  const invariants = rowsOf(/^\| (I\d+) \|/gm);
  const counterexamples = rowsOf(/^\| (\d+) \|/gm);
  const decisions = new Set(readdirSync(join(ROOT, 'docs/decisions')).map((file) => file.slice(0, 4)));

  /** Each citation that `pattern` finds in the sources, tests and documents and `isKnown` does not know. */
  const unresolved = (pattern: RegExp, isKnown: (name: string, before: string, path: string) => boolean) =>
    CITING.flatMap(({ path, text }) =>
      [...text.matchAll(pattern)]
        .filter(({ 1: names, index }) =>
          names!.match(/[I\d][\d.]*\d|\d/g)!.some((name) => !isKnown(name, text.slice(0, index), path)),
        )
        .map(({ 0: found, index }) => `${path}: ${text.slice(Math.max(0, index - 40), index)}${found}`),
    );

  test('name sections that it has, and say of other papers which', () => {
    const found = unresolved(
      /\bsections? (\d[\d.]*(?:(?:, | and |, and | or )\d[\d.]*)*)/gi,
      (section, before, path) => {
        const owner = before.slice(-OWNER_WITHIN).match(OWNERS)?.at(-1);
        if (owner === undefined && path.startsWith('test/paper/')) return true;
        if (owner === 'protocol.md' || (owner === undefined && path === 'docs/protocol.md'))
          return sections.has(section);
        return owner !== undefined;
      },
    );
    expect(found).toEqual([]);
  });

  test('name invariants that it has', () => {
    expect(unresolved(/\b(I\d+)\b/g, (name) => invariants.has(name))).toEqual([]);
  });

  test('name counterexamples that it has', () => {
    const pattern = /\bcounterexamples? (\d+(?:(?:, | and |, and | to )\d+)*)/gi;
    expect(unresolved(pattern, (name) => counterexamples.has(name))).toEqual([]);
  });

  test('name decisions that are recorded', () => {
    const pattern = /\bdecisions?[ /]\[?(\d{4}(?:(?:, | and )\d{4})*)/gi;
    expect(unresolved(pattern, (name) => decisions.has(name))).toEqual([]);
  });

  test('name no paper that is not here', () => {
    const absent = CITING.filter(({ path, text }) => !path.startsWith('bench/') && /\bREPLICATION\b/.test(text));
    expect(absent.map(({ path }) => path)).toEqual([]);
  });
});
