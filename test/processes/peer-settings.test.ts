import { CreateTableCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { beginNode, beginPeer, initPeers, type PeerProcess } from './peer-process.ts';
import { runToExit } from './server-process.ts';

const TableName = 'Slow';

async function set(peer: PeerProcess, ...args: string[]) {
  return runToExit(['admin', 'set', ...args, '--endpoint', await peer.ready()]);
}

/** The names of the errors of some puts, one after the other. */
async function errorsOfPuts(peer: PeerProcess): Promise<Set<string>> {
  const client = await peer.client();
  const names = new Set<string>();
  for (let i = 0; i < 10; i++) {
    await client.send(new PutItemCommand({ TableName, Item: { id: { S: 'x' } } })).catch((error: Error) => {
      names.add(error.name);
    });
  }
  return names;
}

test('settings that change answers are those of the cluster: others are refused, and changed for all', async () => {
  const root = temporaryDirectory();
  await initPeers(root, ['a', 'b', 'c']);
  const a = beginNode(root, 'a');
  const meeting = [await a.peerAddress()];
  const [b, c] = [beginNode(root, 'b', meeting), beginNode(root, 'c', meeting)];
  await Promise.all([a, b, c].map((peer) => peer.ready()));
  await (await a.client()).send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 },
    }),
  );
  const others = ['--role', 'front', '--throttle', 'on', '--join', meeting[0]!];
  expect(await beginPeer('front', others).exited).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(
      'dynaring: --throttle on is not what the cluster has, which is off: start it without --throttle, or change it for all with dynaring admin set throttle on\n',
    ),
  });
  expect(await set(b)).toMatchObject({
    status: 0,
    stdout: 'consistency strict\ndelay-transient-statuses off\nisolate none\nthrottle off\n',
  });
  expect(await set(b, 'throttle', 'perhaps')).toMatchObject({
    status: 1,
    stderr: 'dynaring: throttle must be on or off, not "perhaps"\n',
  });
  expect(await set(b, 'throttle', 'on')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^throttle on$/m) });

  const front = beginPeer('front', others);
  const quiet = beginPeer('quiet', ['--role', 'front', '--join', meeting[0]!]);
  for (const peer of [front, quiet]) {
    await peer.ready();
    expect(await errorsOfPuts(peer)).toEqual(new Set(['ProvisionedThroughputExceededException']));
  }
  // From its next start.
  expect(await errorsOfPuts(b)).toEqual(new Set());
  expect(b.stderr()).toMatch(/the settings of the cluster have changed: they hold here from the next start/);

  // Alone it cannot ask: what it knew last holds.
  await Promise.all([a, b, c].map((peer) => peer.stop('SIGKILL')));
  const alone = beginPeer('b', ['--data-dir', `${root}/b`, '--throttle', 'off']);
  expect(await alone.exited).toMatchObject({ status: 1, stderr: expect.stringContaining('which is on') });
});
