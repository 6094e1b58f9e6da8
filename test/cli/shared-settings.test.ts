import { expect, test } from 'vitest';
import {
  checkSharedSettings,
  readSharedSettings,
  sharedSettingsIn,
  sharedSettingsText,
} from '../../src/config/shared-settings.ts';

const CLUSTER = { consistency: 'strict', isolate: 'none', throttle: false, delayTransientStatuses: false } as const;

test('those that all processes share are picked from others; what a later release has is left out', () => {
  const given = { ...CLUSTER, port: 8_000, isolate: 'planet', colour: 'red' };
  expect(sharedSettingsIn(given)).toEqual({ consistency: 'strict', throttle: false, delayTransientStatuses: false });
});

test('a process that says another one than its cluster is refused with both, and what to do', () => {
  checkSharedSettings({}, CLUSTER);
  checkSharedSettings({ throttle: false, isolate: 'none' }, CLUSTER);
  expect(() => checkSharedSettings({ throttle: true }, CLUSTER)).toThrow(
    '--throttle on is not what the cluster has, which is off: start it without --throttle, or change it for all with dynaring admin set throttle on',
  );
  expect(() => checkSharedSettings({ isolate: 'region' }, CLUSTER)).toThrow(
    /^--isolate region .* which is none: .* dynaring admin set isolate region$/,
  );
});

test('an operator names them as the flags are called', () => {
  expect(readSharedSettings({ 'delay-transient-statuses': 'on', isolate: 'both' })).toEqual({
    delayTransientStatuses: true,
    isolate: 'both',
  });
  expect(sharedSettingsText(CLUSTER)).toEqual({
    consistency: 'strict',
    'delay-transient-statuses': 'off',
    isolate: 'none',
    throttle: 'off',
  });
  expect(() => readSharedSettings({ throtle: 'on' })).toThrow(
    /no setting of a cluster is called "throtle".*throttle.*: there are consistency,/,
  );
  expect(() => readSharedSettings({ throttle: 'perhaps' })).toThrow('throttle must be on or off, not "perhaps"');
  expect(() => readSharedSettings({ throttle: true })).toThrow('throttle must be on or off, not true');
});
