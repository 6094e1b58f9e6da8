// A DynamoDB endpoint that stores nothing and answers each write with an empty answer after a delay. It shows the limit
// of the client alone, or with a distant endpoint.
// Run by import.mjs: node null-endpoint.mjs PORT MILLISECONDS
import { createServer } from 'node:http';

const [port, delayMs] = process.argv.slice(2).map(Number);
let definition;

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const answer = answerOf(String(request.headers['x-amz-target']).split('.')[1], chunks);
    const send = () =>
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' }).end(answer.text);
    if (delayMs > 0) setTimeout(send, delayMs);
    else send();
  });
});
server.listen(port, '127.0.0.1');

function answerOf(operation, chunks) {
  if (operation === 'CreateTable') definition = JSON.parse(Buffer.concat(chunks));
  if (operation === 'ListTables') return { status: 200, text: '{"TableNames":[]}' };
  if (operation !== 'CreateTable' && operation !== 'DescribeTable') return { status: 200, text: '{}' };
  const name = JSON.parse(Buffer.concat(chunks)).TableName;
  if (definition?.TableName !== name) {
    return { status: 400, text: '{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}' };
  }
  return { status: 200, text: JSON.stringify({ Table: { ...definition, TableId: name, TableStatus: 'ACTIVE' } }) };
}
