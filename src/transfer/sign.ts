import aws4 from 'aws4';
import type { Endpoint } from './service-endpoint.ts';

/** The headers of a request to DynamoDB, with a signature that the service accepts (Signature Version 4). */
export function signedHeaders({ url, region, credentials }: Endpoint, operation: string, body: string) {
  const request = {
    service: 'dynamodb',
    region,
    method: 'POST',
    host: url.host,
    path: '/',
    headers: { 'Content-Type': 'application/x-amz-json-1.0', 'X-Amz-Target': `DynamoDB_20120810.${operation}` },
    body,
  };
  return aws4.sign(request, credentials).headers!;
}
