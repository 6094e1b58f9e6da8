import { readFileSync } from 'node:fs';
import * as sdk from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { OPERATIONS } from '../../src/api/operations.ts';
import { helpText } from '../../src/config/help.ts';
import { DYNALITE_HINTS, LOCAL_FLAGS } from '../../src/config/local-flags.ts';
import { OPTIONS, SETTING_NAMES, variableOf } from '../../src/config/options.ts';
import { PEER_OPTIONS, PEER_SETTING_NAMES, peerVariableOf } from '../../src/config/peer-options.ts';
import { renderMetrics } from '../../src/web/metrics.ts';

const GUIDE = readFileSync(new URL('../../docs/guide/command-line.md', import.meta.url), 'utf8');
const sectionOf = (title: string) => GUIDE.split(/^## /m).find((section) => section.startsWith(`${title}\n`))!;

/** The first cells of the rows of its table. */
function rowsOf(title: string): readonly (readonly string[])[] {
  const rows = sectionOf(title)
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  return rows.map((row) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')));
}

describe('docs/guide/command-line.md', () => {
  test('has a row for each option with its variable, in no other spelling', () => {
    const documented = rowsOf('Options').map(([, flag, variable]) => [flag, variable]);
    const understood = SETTING_NAMES.map((name) => [OPTIONS[name].flag, variableOf(name)]);
    expect(documented.sort()).toEqual([...understood, ['--help, --version', '']].sort());
  });

  test('has a row for each option of one node of a cluster', () => {
    const documented = rowsOf('One node of a cluster').map(([, flag, variable]) => [flag, variable]);
    expect(documented).toEqual(PEER_SETTING_NAMES.map((name) => [PEER_OPTIONS[name].flag, peerVariableOf(name)]));
  });

  test("has all of DynamoDB Local's flags, as --help has", () => {
    for (const flag of ['port', 'cors', 'help', 'version', ...LOCAL_FLAGS.keys()]) {
      expect(sectionOf('Coming from DynamoDB Local')).toContain(`\`-${flag}`);
      expect(helpText()).toContain(`-${flag}`);
    }
  });

  test("has all of dynalite's options that are refused with a hint", () => {
    for (const option of DYNALITE_HINTS.keys()) expect(sectionOf('Coming from dynalite')).toContain(`\`--${option}`);
  });
});

const NO_PEERS = {
  peers: [],
  connections: 0,
  sentMessages: 0,
  receivedMessages: 0,
  sentBytes: 0,
  receivedBytes: 0,
  frames: 0,
  lost: 0,
  notSent: {},
  refused: {},
  cut: {},
};

test('docs/guide/admin.md has every metric, as /metrics describes it', async () => {
  const guide = readFileSync(new URL('../../docs/guide/admin.md', import.meta.url), 'utf8');
  const none = () => [];
  const { text } = await renderMetrics({
    requests: none,
    requestsInFlight: () => 0,
    nodes: none,
    faults: none,
    expiry: () => ({ deleted: 0, scheduled: 0 }),
    builds: () => [],
    peers: () => NO_PEERS,
  });
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const described = [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name, types.get(name), help]);
  const documented = [...guide.matchAll(/^\| `(dynaring_\w+)` \| (\w+) \| (.*) \|$/gm)].map(([, ...cells]) => cells);
  expect(documented).toEqual(described);
});

test('README.md names and counts the operations that are answered', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, named] = /^- Operations: ([\s\S]*?) are served\./m.exec(readme)!;
  expect(named!.split(/,\s+|\s+and\s+/).sort()).toEqual([...OPERATIONS].sort());
  const [, , counted] = /^\| operations answered, of \d+ [^|]*\|(\s*)(\d+)/m.exec(readme)!;
  expect(Number(counted)).toBe(OPERATIONS.length);
});

test('docs/compatibility.md counts the operations of the service, and names those that are answered', () => {
  const text = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');
  const ofData = Object.keys(sdk).filter((name) => /^[A-Z].+Command$/.test(name)).length;
  // The SDK has those of streams in a package of their own.
  const ofStreams = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'].length;
  const counted = `the service's ${ofData + ofStreams} (${ofData} of DynamoDB, ${ofStreams} of DynamoDB Streams) ${OPERATIONS.length} are answered: `;
  expect(text).toContain(counted);
  const named = text
    .split(counted)[1]!
    .split('. ')[0]!
    .split(/, | and /);
  expect(named.sort()).toEqual([...OPERATIONS].sort());
});
