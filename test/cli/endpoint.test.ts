import { expect, test } from 'vitest';
import { endpointOf } from '../../src/config/endpoint.ts';

test.each([
  ['127.0.0.1', 'http://127.0.0.1:8000'],
  ['::1', 'http://[::1]:8000'],
  ['0.0.0.0', 'http://127.0.0.1:8000'],
  ['::', 'http://127.0.0.1:8000'],
])('a server that listens on %s is reached at %s', (host, endpoint) => {
  expect(endpointOf({ host, port: 8000 })).toBe(endpoint);
});
