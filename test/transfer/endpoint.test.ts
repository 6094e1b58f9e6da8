import { describe, expect, test } from 'vitest';
import { defaultUrl, endpointOf, serviceUrl } from '../../src/transfer/endpoint.ts';

const KEYS = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret' };

describe('an endpoint', () => {
  test('is that of the first variable that is set', () => {
    const all = { AWS_ENDPOINT_URL_DYNAMODB: 'http://a', AWS_ENDPOINT_URL: 'http://b', DYNAMODB_ENDPOINT: 'http://c' };
    expect(defaultUrl(all)).toBe('http://a');
    expect(defaultUrl({ ...all, AWS_ENDPOINT_URL_DYNAMODB: '' })).toBe('http://b');
    expect(defaultUrl({ DYNAMODB_ENDPOINT: 'http://c' })).toBe('http://c');
    expect(defaultUrl({})).toBe('http://127.0.0.1:8000');
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
