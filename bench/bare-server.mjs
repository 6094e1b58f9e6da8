// The baseline: the least that any DynamoDB server on node:http has to do. It reads the body, parses it, and answers
// bytes of the right length with the headers of a real answer.
// usage: bare-server.mjs PORT ITEM_BYTES...
import { createServer } from 'node:http';
import { makeItem, tableName } from './items.mjs';

const [port, ...itemSizes] = process.argv.slice(2).map(Number);
const items = new Map(
  itemSizes.map((bytes) => [tableName(bytes), Buffer.from(JSON.stringify({ Item: makeItem(bytes, 0) }))]),
);
const NOTHING = Buffer.from('{}');
const ACTIVE = Buffer.from('{"Table":{"TableStatus":"ACTIVE"}}');

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const target = request.headers['x-amz-target'];
    const answer = target.endsWith('GetItem')
      ? items.get(body.TableName)
      : target.endsWith('DescribeTable')
        ? ACTIVE
        : NOTHING;
    response.writeHead(200, {
      'x-amzn-RequestId': 'B4T8L1V0Q6C2R9M3N7K5XJDHGFSAZWEYUIOP0123456789ABCDEF',
      'content-type': 'application/x-amz-json-1.0',
      'content-length': answer.length,
    });
    response.end(answer);
  });
});
server.listen(port, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
