// node bench/outages.mjs: for how long clients go without an answer when a node is lost. See README.md in this folder.
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { namesIn, progress, runBench, SHAPES, startCluster, stopCluster } from './cluster.mjs';
import { makeItem, makeKey, tableName } from './items.mjs';

const HELP = `usage: node bench/outages.mjs [options]
  --only NAMES   comma-separated: killed, stopped, silent (default all; silent takes root, for a network namespace)
  --loops N      requests under way at a time of each kind and client (default 4)
  --help
Exits with 1 if any request failed in spite of the SDK's retries.`;
const ITEM_BYTES = 1024;
const TableName = tableName(ITEM_BYTES);
const KEYS = 200;
const CALM_MS = 3_000;
const AFTER_MS = 5_000;
/** Between two requests of one loop: the load is steady, and leaves the machine time. */
const PAUSE_MS = 5;

/** What happens to node c, and for how long. */
const OUTAGES = {
  killed: {
    title: 'kill -9, started again after 6 s',
    forMs: 6_000,
    begin: ({ victim }) => victim.stop('SIGKILL'),
    end: ({ victim }) => victim.start(),
  },
  stopped: {
    title: 'SIGSTOP for 10 s',
    forMs: 10_000,
    begin: ({ victim }) => victim.signal('SIGSTOP'),
    end: ({ victim }) => victim.signal('SIGCONT'),
  },
  silent: {
    title: 'a host that is silent for 10 s',
    forMs: 10_000,
    needsHost: true,
    begin: ({ host }) => host.unplug(),
    end: ({ host }) => host.plug(),
  },
};

const TABLE = new CreateTableCommand({
  TableName,
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
});

const KINDS = {
  put: (index, version) => new PutItemCommand({ TableName, Item: makeItem(ITEM_BYTES, index, version) }),
  'strong read': (index) => new GetItemCommand({ TableName, Key: makeKey(index), ConsistentRead: true }),
  'eventual read': (index) => new GetItemCommand({ TableName, Key: makeKey(index) }),
};

async function main() {
  const options = readOptions();
  if (options === undefined) return;
  for (const name of options.only) {
    if (OUTAGES[name].needsHost && process.getuid?.() !== 0) {
      console.log(`${OUTAGES[name].title}: left out, only root makes network namespaces`);
    } else await measure(OUTAGES[name], options);
  }
  console.log(`\nNode ${process.version}, load ${loadavg()[0].toFixed(1)}`);
}

async function measure(outage, { loops }) {
  const host = outage.needsHost ? new SilentHost() : undefined;
  progress(`${outage.title}: starts`);
  const cluster = await startCluster(SHAPES.tcp, host && ((name) => host.placeOf(name)));
  try {
    const [a, b, victim] = cluster.members;
    const clients = [clientOf('two living nodes in turn', [a, b]), clientOf('one living node', [b])];
    await clients[0].send(TABLE);
    for (let index = 0; index < KEYS; index++) await clients[0].send(KINDS.put(index, 1));
    const state = { isOver: false };
    const lines = clients.flatMap((client) => Object.keys(KINDS).map((kind) => new Line(client, kind)));
    const running = lines.flatMap((line) => Array.from({ length: loops }, () => ask(line, state)));
    await sleep(CALM_MS);
    progress(`${outage.title}: begins`);
    for (const line of lines) line.begin();
    await outage.begin({ victim, host });
    await sleep(outage.forMs);
    await outage.end({ victim, host });
    await victim.ready();
    await sleep(AFTER_MS);
    state.isOver = true;
    await Promise.all(running);
    for (const line of lines) line.end();
    report(outage, lines);
    if (lines.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
    for (const client of clients) client.close();
  } finally {
    host?.plug();
    await stopCluster(cluster);
    host?.remove();
  }
}

/** The official SDK with its default retries, which asks these nodes in turn. */
function clientOf(name, members) {
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
  const clients = members.map(
    ({ host, port }) => new DynamoDBClient({ endpoint: `http://${host}:${port}`, region: 'local', credentials }),
  );
  let turn = 0;
  return {
    name,
    send: (command) => clients[turn++ % clients.length].send(command),
    close: () => {
      for (const client of clients) client.destroy();
    },
  };
}

/** What one client saw of its requests of one kind since the outage began. */
class Line {
  constructor(client, kind) {
    Object.assign(this, { client, kind, answers: 0, retried: 0, failures: [], longestMs: 0, gapMs: 0, calmGapMs: 0 });
    this.lastMs = performance.now();
  }

  begin() {
    this.note();
    this.calmGapMs = this.gapMs;
    Object.assign(this, { answers: 0, retried: 0, failures: [], longestMs: 0, gapMs: 0 });
  }

  answered(tookMs, attempts) {
    this.note();
    this.answers++;
    if (attempts > 1) this.retried++;
    this.longestMs = Math.max(this.longestMs, tookMs);
  }

  end() {
    this.note();
  }

  note() {
    const nowMs = performance.now();
    this.gapMs = Math.max(this.gapMs, nowMs - this.lastMs);
    this.lastMs = nowMs;
  }
}

async function ask(line, state) {
  for (let version = 2; !state.isOver; version++) {
    const sentMs = performance.now();
    const command = KINDS[line.kind](Math.floor(Math.random() * KEYS), version);
    try {
      const { $metadata } = await line.client.send(command);
      line.answered(performance.now() - sentMs, $metadata.attempts);
    } catch (error) {
      line.failures.push(`${error.name} after ${Math.round(performance.now() - sentMs)} ms`);
    }
    await sleep(PAUSE_MS);
  }
}

function report({ title }, lines) {
  const head = ['longest without an answer, ms', 'in calm', 'slowest answer, ms', 'answers', 'tried again', 'failed'];
  console.log(
    `\n${title}\n\n| client | requests | ${head.join(' | ')} |\n| --- | --- |${' ---: |'.repeat(head.length)}`,
  );
  for (const { client, kind, gapMs, calmGapMs, longestMs, answers, retried, failures } of lines) {
    const cells = [gapMs, calmGapMs, longestMs].map((ms) => Math.round(ms));
    console.log(`| ${client.name} | ${[kind, ...cells, answers, retried, failures.length].join(' | ')} |`);
    for (const failure of new Set(failures)) console.log(`  ${failure}`);
  }
}

/** A host for node c: what it sends and is sent gets lost without a word while it is unplugged. */
class SilentHost {
  #name = `dynaring-bench-${process.pid}`;
  #link = `db${process.pid}`;
  /** Nobody routes it (RFC 2544, section C.2.2). */
  #here = '198.18.78.254';
  #there = '198.18.78.1';

  constructor() {
    process.on('exit', () => this.remove());
    ip('netns', 'add', this.#name);
    ip('link', 'add', this.#link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#name);
    ip('addr', 'add', `${this.#here}/24`, 'dev', this.#link);
    ip('link', 'set', 'dev', this.#link, 'up');
    for (const dev of ['lo', 'eth0']) ip('-n', this.#name, 'link', 'set', 'dev', dev, 'up');
    ip('-n', this.#name, 'addr', 'add', `${this.#there}/24`, 'dev', 'eth0');
  }

  placeOf(name) {
    if (name !== 'c') return { host: this.#here };
    return { host: this.#there, under: ['ip', 'netns', 'exec', this.#name] };
  }

  /** Frames go to an address that nobody has, both ways. */
  unplug() {
    ip('neigh', 'replace', this.#there, 'dev', this.#link, 'lladdr', '02:00:00:00:00:01');
    ip('-n', this.#name, 'neigh', 'replace', this.#here, 'dev', 'eth0', 'lladdr', '02:00:00:00:00:01');
  }

  plug() {
    attempt(() => ip('neigh', 'del', this.#there, 'dev', this.#link));
    attempt(() => ip('-n', this.#name, 'neigh', 'del', this.#here, 'dev', 'eth0'));
  }

  remove() {
    attempt(() => ip('link', 'del', this.#link));
    attempt(() => ip('netns', 'del', this.#name));
  }
}

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
}

function attempt(run) {
  try {
    run();
  } catch {} // it is gone already
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(OUTAGES).join() },
      loops: { type: 'string', default: '4' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  return { only: namesIn(values.only, OUTAGES), loops: Number(values.loops) };
}

await runBench(main);
