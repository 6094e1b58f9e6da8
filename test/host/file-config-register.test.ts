import { beforeEach, expect, test } from 'vitest';
import type { Begun } from '../../src/dynamo/epochs/config-register.ts';
import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { type ClusterRecord, DataDirectoryError } from '../../src/env/cluster-file.ts';
import type { DataDirectory } from '../../src/env/data-directory.ts';
import { FileConfigRegister } from '../../src/host/file-config-register.ts';
import { foundCluster } from '../../src/host/found-cluster.ts';

let saved: ClusterRecord[];
let isFull: boolean;
let view: RingView;
let register: FileConfigRegister;

const directory = {
  saveCluster(record: ClusterRecord) {
    if (isFull) throw new DataDirectoryError('the disk is full');
    saved.push(record);
  },
} as DataDirectory;

function open(record: ClusterRecord): void {
  view = new RingView(record.configs);
  register = new FileConfigRegister(directory, record, view);
}

beforeEach(() => {
  saved = [];
  isFull = false;
  open(foundCluster({ nodes: 3, partitions: 4, replication: 3 }));
});

/** What the register answers, which it does within the call. */
function answerOf<T>(ask: (done: (value: T | undefined, error?: Error) => void) => void): T | string {
  let answer: T | string | undefined;
  ask((value, error) => {
    answer = value ?? error!.message;
  });
  return answer!;
}

const read = (partition: number) => answerOf<PartitionConfig>((done) => register.read(partition, done));
/** The attempt; the text of an error; or the config that is decided already. */
const begin = (partition: number, base = register.record.configs[partition]!) => {
  const begun = answerOf<Begun>((done) => register.begin(base, done));
  if (typeof begun === 'string') return begun;
  return begun.kind === 'attempt' ? begun.attempt : begun.config;
};
const decide = (next: PartitionConfig) => answerOf<PartitionConfig>((done) => register.decide(next, done));

const next = (partition: number, attempt: number): PartitionConfig => {
  const { epoch, members } = read(partition) as PartitionConfig;
  return { partition, epoch: epoch + 1, members: [...members].reverse(), attempt };
};

test('the last attempt decides; the view has what was decided, and the file has it first', () => {
  expect(begin(1)).toBe(1);
  const config = next(1, 1);
  expect(decide(config)).toEqual(config);
  expect(read(1)).toEqual(config);
  expect(view.newestConfig(1)).toEqual(config);
  expect(saved.at(-1)).toMatchObject({ lastAttempt: 1, configs: { 1: config } });
});

test('an attempt that another has followed decides nothing; one of another partition is no such', () => {
  expect([begin(0), begin(0), begin(1)]).toEqual([1, 2, 3]);
  const before = read(0);
  expect(decide(next(0, 1))).toEqual(before);
  const config = next(0, 2);
  expect(decide(config)).toEqual(config);
});

test('an epoch is decided once', () => {
  begin(0);
  const config = next(0, 1);
  decide(config);
  begin(0);
  expect(decide({ ...config, attempt: 2 })).toEqual(config);
});

test('no attempt begins at an epoch that is over', () => {
  const base = read(0) as PartitionConfig;
  begin(0);
  const config = next(0, 1);
  decide(config);
  expect(begin(0, base)).toEqual(config);
  expect(begin(0)).toBe(2);
});

test('an attempt of an earlier process decides nothing, and its number does not come again', () => {
  begin(0);
  const config = next(0, 1);
  open(register.record);
  expect(decide(config)).toEqual(read(0));
  expect(begin(0)).toBe(2);
});

test('what the disk refuses is an error, and nothing that this process acts on', () => {
  begin(0);
  const before = read(0);
  isFull = true;
  expect(decide(next(0, 1))).toBe('the disk is full');
  expect(begin(0)).toBe('the disk is full');
  expect(read(0)).toEqual(before);
  expect(view.newestConfig(0)).toEqual(before);
  expect(() => register.saveRoster([])).toThrow('the disk is full');
  expect(register.record.nodes).toHaveLength(3);
});
