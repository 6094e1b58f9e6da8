// Dynaring in a container that Testcontainers starts. This needs a Docker engine, `npm install testcontainers`, and an image:
// `docker build -t dynaring .` in a clone. Its syntax is all that this repository's tests check: they have no Docker engine.
//   node examples/recipes/testcontainers.mjs
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { GenericContainer, Wait } from 'testcontainers';

const container = await new GenericContainer('dynaring')
  .withExposedPorts(8000)
  .withWaitStrategy(Wait.forHttp('/health', 8000))
  .start();
try {
  const client = new DynamoDBClient({
    endpoint: `http://${container.getHost()}:${container.getMappedPort(8000)}`,
    region: 'local',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  });
  console.log(await client.send(new ListTablesCommand({})));
} finally {
  await container.stop();
}
