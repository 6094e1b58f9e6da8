import { describe, expect, test } from 'vitest';
import { endpointOf, endpointOfUser, serviceUrl } from '../../src/transfer/service-endpoint.ts';
import { run } from './test-world.ts';

const KEYS = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret' };

describe('an endpoint', () => {
  test('is that of the first variable that is set', () => {
    const all = { AWS_ENDPOINT_URL_DYNAMODB: 'http://a', AWS_ENDPOINT_URL: 'http://b', DYNAMODB_ENDPOINT: 'http://c' };
    const urlOf = (env: Record<string, string>, url?: string) => endpointOfUser(url, undefined, env).url.origin;
    expect(urlOf(all)).toBe('http://a');
    expect(urlOf({ ...all, AWS_ENDPOINT_URL_DYNAMODB: '' })).toBe('http://b');
    expect(urlOf({ DYNAMODB_ENDPOINT: 'http://c' })).toBe('http://c');
    expect(urlOf({})).toBe('http://127.0.0.1:8000');
    expect(urlOf(all, 'http://given')).toBe('http://given');
  });

  test('that is none is told by the variable that has it', () => {
    const env = { AWS_ENDPOINT_URL: 'localhost' };
    expect(() => endpointOfUser(undefined, undefined, env)).toThrow(/^AWS_ENDPOINT_URL must be a URL such as/);
    expect(() => endpointOfUser('localhost', undefined, env)).toThrow(/^--endpoint must be a URL such as/);
  });

  test('to copy from and a file are not both to import from', async () => {
    const of = 'are given: choose one';
    await expect(run('import', ['x.json', '--from-region', 'r'])).rejects.toThrow(`x.json and --from-region ${of}`);
    await expect(run('import', ['x.json', '--from-endpoint', 'u'])).rejects.toThrow(`x.json and --from-endpoint ${of}`);
  });

  test.each([
    ['https://dynamodb.eu-west-1.amazonaws.com', 'eu-west-1'],
    ['https://dynamodb-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
    ['https://dynamodb.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ['https://vpce-1234-abc.dynamodb.us-west-2.vpce.amazonaws.com', 'us-west-2'],
    ['http://127.0.0.1:8000', 'ap-south-1'],
  ])('has the region of its address, else that of the user: %s', (url, region) => {
    expect(endpointOf('--endpoint', url, undefined, { ...KEYS, AWS_REGION: 'ap-south-1' }).region).toBe(region);
    expect(endpointOf('--endpoint', url, 'given', KEYS).region).toBe('given');
  });

  test('needs credentials if it is the service, which others get made up', () => {
    expect(() => endpointOf('--endpoint', serviceUrl('eu-west-1'), undefined, {})).toThrow(/needs credentials/);
    expect(endpointOf('--endpoint', 'http://localhost:8000', undefined, {}).credentials.accessKeyId).toBe('local');
    const { credentials } = endpointOf('--endpoint', serviceUrl('eu-west-1'), undefined, KEYS);
    expect(credentials).toEqual({ accessKeyId: 'AKID', secretAccessKey: 'secret' });
  });

  test.each([['localhost:8000'], ['ftp://x'], ['http://x/path'], ['']])('is none: %j', (text) => {
    expect(() => endpointOf('--endpoint', text, undefined, {})).toThrow(/^--endpoint .*must be/);
  });
});
