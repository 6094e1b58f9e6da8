// Measures what a request to another process and its answer cost, on each kind of connection: the CPU time of both sides,
// the messages of a second, and how long one alone takes. Both sides run in this process, which is all they do.
// Each figure is the best of several rounds, which alternate between the kinds.
// Run: npm run bench:transport
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ItemRecord } from '../dist/dynamo/record.js';
import { SystemClock } from '../dist/env/clock.js';
import { silentLog } from '../dist/env/log.js';
import { createPeerTransport } from '../dist/env/peer-transport.js';
import { SystemRandom } from '../dist/env/random.js';
import { HELLO_CODEC } from '../dist/wire/hello.js';
import { RING_CHANNEL } from '../dist/wire/ring-channels.js';
import { makeItem } from './items.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 8);
const ROUND_MS = 300;

/** Messages that are bytes already: the cost of the transport alone. */
const BYTES = { encode: (bytes) => bytes, decode: (bytes) => Buffer.from(bytes) };
const BYTES_CHANNEL = {
  number: 3,
  requests: BYTES,
  answersTo: () => BYTES,
  lane: () => 'hot',
  isUnsupported: () => false,
};

const directory = mkdtempSync(join(tmpdir(), 'dynaring-bench-'));
const tcp = () => ({ host: '127.0.0.1', port: 0 });
const secret = Buffer.from('a secret of the benchmark alone');
const KINDS = {
  Unix: { security: { kind: 'open' }, address: () => ({ path: join(directory, 'peer') }) },
  TCP: { security: { kind: 'open' }, address: tcp },
  TLS: { security: { kind: 'secret', secret }, address: tcp },
};

const record = (bytes) => {
  const json = Buffer.from(JSON.stringify(makeItem(bytes, 1)));
  const ballot = { hlc: 1_790_000_000_000 * 1024, coordinator: 2 ** 47 + 12345, boot: 7 };
  return new ItemRecord({ ballot, item: { size: bytes, json }, partitionKey: 'item-0000001', lineage: [] });
};
const key = `\x00\x2atable-01${'\x9c'.repeat(16)}`;
const ballot = { hlc: 1_790_000_000_000 * 1024, coordinator: 2 ** 47 + 12345, boot: 7 };
const prepare = { kind: 'prepare', key, ballot, epoch: 3 };
const accept = { kind: 'accept', key, record: record(1_000), epoch: 3 };

/** [what, channel, request, how many are asked at once] */
const CASES = [
  ['100 B, alone', 'bytes', Buffer.alloc(100, 1), 1],
  ['100 B, 16 at once', 'bytes', Buffer.alloc(100, 1), 16],
  ['100 B, 128 at once', 'bytes', Buffer.alloc(100, 1), 128],
  ['1.2 KB, 64 at once', 'bytes', Buffer.alloc(1_200, 1), 64],
  ['prepare, 64 at once', 'ring', prepare, 64],
  ['accept of 1 KB, 64 at once', 'ring', accept, 64],
];

const ANSWERS = { prepare: { kind: 'promise', from: 'b' }, accept: { kind: 'accepted', from: 'b' } };

function helloOf(name) {
  return {
    protocolMin: 1,
    protocolMax: 1,
    clusterId: 'bench',
    foundersHash: undefined,
    name,
    node: name,
    diskId: 1,
    boot: 1,
    instance: name,
    role: 'member',
    layout: '',
    clockMs: 0,
    build: '',
  };
}

function open(name, security, addresses) {
  const nothing = () => {};
  return createPeerTransport({
    self: name,
    greeting: {
      codec: HELLO_CODEC,
      mine: () => helloOf(name),
      peerOf: (hello) => hello.node,
      nameOf: (hello) => hello.name,
      admit: () => undefined,
    },
    security,
    addressesOf: (peer) => addresses[peer] ?? [],
    events: { up: nothing, down: nothing, greeted: nothing, refused: nothing },
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLog,
  });
}

async function pair({ security, address }) {
  const addresses = {};
  const b = open('b', security, addresses);
  addresses.b = [await b.listen(address())];
  const a = open('a', security, addresses);
  const answer = Buffer.alloc(100, 2);
  b.open(BYTES_CHANNEL, (_from, _request, reply) => reply(answer));
  b.open(RING_CHANNEL, (_from, request, reply) => reply(ANSWERS[request.kind]));
  const nobody = () => {};
  const ports = { bytes: a.open(BYTES_CHANNEL, nobody), ring: a.open(RING_CHANNEL, nobody) };
  return { ports, stop: () => Promise.all([a.stop(), b.stop()]) };
}

/** Asks `atOnce` requests, all again when all are answered. */
function round(port, request, atOnce) {
  return new Promise((resolve, reject) => {
    const cpu = process.cpuUsage();
    const begin = performance.now();
    let asked = 0;
    let waiting = 0;
    const heard = (outcome) => {
      if (outcome.kind !== 'answered') return reject(new Error(JSON.stringify(outcome)));
      if (--waiting > 0) return;
      const ms = performance.now() - begin;
      if (ms < ROUND_MS) return ask();
      const { user, system } = process.cpuUsage(cpu);
      resolve({ us: (user + system) / asked, perSecond: (asked / ms) * 1000, waitUs: (ms * 1000 * atOnce) / asked });
    };
    const ask = () => {
      waiting = atOnce;
      asked += atOnce;
      for (let i = 0; i < atOnce; i++) port.ask('b', request, heard);
    };
    ask();
  });
}

const pairs = {};
for (const [name, kind] of Object.entries(KINDS)) pairs[name] = await pair(kind);
const best = CASES.map(() => ({}));
for (let i = 0; i < ROUNDS; i++) {
  for (const [at, [, channel, request, atOnce]] of CASES.entries()) {
    for (const [name, { ports }] of Object.entries(pairs)) {
      const found = await round(ports[channel], request, atOnce);
      const known = best[at][name];
      if (known === undefined || found.us < known.us) best[at][name] = found;
    }
  }
}
await Promise.all(Object.values(pairs).map(({ stop }) => stop()));
rmSync(directory, { recursive: true });

const names = Object.keys(KINDS);
console.log(
  `Node ${process.version}; CPU of both sides for a request and its answer; requests a second; us until answered\n`,
);
console.log(`| ${'request'.padEnd(26)} | ${names.map((name) => `${name} us | a second | wait`).join(' | ')} |`);
console.log(`| -------------------------- |${names.map(() => ' ---: | ---: | ---: |').join('')}`);
for (const [at, [what]] of CASES.entries()) {
  const figures = names.flatMap((name) => {
    const { us, perSecond, waitUs } = best[at][name];
    return [us.toFixed(1), perSecond.toFixed(0), waitUs.toFixed(0)];
  });
  console.log(`| ${what.padEnd(26)} | ${figures.join(' | ')} |`);
}
