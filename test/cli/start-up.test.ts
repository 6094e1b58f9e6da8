import { describe, expect, test } from 'vitest';
import { startUpText, strangersNote } from '../../src/config/start-up.ts';
import { completeConfig } from '../../src/config.ts';

const ADDRESSES = [
  { host: '127.0.0.1', port: 8000 },
  { host: '::1', port: 8000 },
];
const START_UP = { config: completeConfig({}), version: '1.2.3', addresses: ADDRESSES, adminAddresses: [] };
const ESCAPE = '\x1b';

describe('the text at the start', () => {
  test('has colour for a terminal alone, and not in the lines that are read or copied', () => {
    expect(startUpText(START_UP, { isLocal: true, isColoured: false })).not.toContain(ESCAPE);
    const lines = startUpText(START_UP, { isLocal: true, isColoured: true }).split('\n');
    const coloured = lines.filter((line) => line.includes(ESCAPE));
    expect(coloured.length).toBeGreaterThan(0);
    const forTools = lines.filter((line) => /^export |\t|^Initializing/.test(line));
    expect(forTools).toHaveLength(11);
    expect(forTools.filter((line) => line.includes(ESCAPE))).toEqual([]);
  });

  test('is no longer than a glance beside the lines of DynamoDB Local', () => {
    const text = startUpText(START_UP, { isLocal: false, isColoured: false });
    expect(startUpText(START_UP, { isLocal: true, isColoured: false }).split('\n\n')[1]).toBe(text);
    const ours = text.trimEnd().split('\n');
    expect(ours.length).toBeLessThanOrEqual(10);
    for (const line of ours) expect(line.length).toBeLessThan(80);
  });
});

test('the text at the start names HTTPS, and no credentials of which only some will do', () => {
  const config = completeConfig({ httpsCert: 'cert.pem', httpsKey: 'key.pem', auth: 'keys.json' });
  const text = startUpText({ ...START_UP, config }, { isLocal: false, isColoured: false });
  expect(text).toContain('is ready on https://127.0.0.1:8000 and https://[::1]:8000');
  expect(text).toContain('curl https://127.0.0.1:8000/_dynaring/status');
  expect(text.split('\n').slice(-3)).toEqual([
    '  use   with an access key of --auth:',
    'export AWS_ENDPOINT_URL_DYNAMODB=https://127.0.0.1:8000',
    '',
  ]);
});

describe('what strangers may do', () => {
  const everywhere = [{ host: '0.0.0.0', port: 8000 }];

  test('is nothing where they cannot reach it', () => {
    expect(strangersNote(START_UP)).toBeUndefined();
    expect(strangersNote({ ...START_UP, adminAddresses: [{ host: '127.1.2.3', port: 1 }] })).toBeUndefined();
  });

  test('is said where they can', () => {
    expect(strangersNote({ ...START_UP, addresses: everywhere })).toBe(
      'whoever reaches 0.0.0.0:8000 may read and change all data, stop its nodes and wipe their disks: no signature is verified; --no-admin leaves the data, --host 127.0.0.1 nothing',
    );
    const addresses = [{ host: '::', port: 8000 }];
    expect(strangersNote({ ...START_UP, addresses, config: completeConfig({ admin: false }) })).toBe(
      'whoever reaches [::]:8000 may read and change all data: no signature is verified; --host 127.0.0.1 keeps them out',
    );
  });

  test('is to administer, where signatures are verified', () => {
    const config = completeConfig({ auth: 'keys.json' });
    expect(strangersNote({ ...START_UP, config, addresses: everywhere })).toBeUndefined();
    const apart = { ...START_UP, config, addresses: everywhere, adminAddresses: [{ host: '0.0.0.0', port: 9000 }] };
    expect(strangersNote(apart)).toBe(
      'whoever reaches 0.0.0.0:9000 may read and change all data, stop its nodes and wipe their disks: administrators sign nothing; --no-admin keeps them out',
    );
    expect(strangersNote({ ...apart, config: completeConfig({ auth: 'keys.json', admin: false }) })).toBeUndefined();
  });
});
