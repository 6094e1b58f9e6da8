import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { checkLinearizability, type Operation } from '../simulation/linearizability.ts';
import { contend, REGISTERS, readAll } from './register-clients.ts';
import { clientOf, createTable, startServer } from './server-process.ts';

const CLIENTS = 8;
/** How long clients contend before each kill, and after the last. */
const PHASES_MS = [900, 900, 900, 500];

test.each(['process', 'disk'])(
  'clients that contend while the server is killed see one history (durability %s)',
  async (durability) => {
    const options = ['--data-dir', temporaryDirectory(), '--durability', durability];
    let server = await startServer(options);
    const { endpoint } = server;
    await createTable(clientOf(endpoint), REGISTERS);
    const history: Operation[] = [];
    let isOver = false;
    const clients = Array.from({ length: CLIENTS }, (_, index) => {
      const client = clientOf(endpoint);
      return contend(
        () => client,
        `client-${index}`,
        history,
        () => isOver,
      );
    });
    for (const [phase, durationMs] of PHASES_MS.entries()) {
      if (phase > 0) {
        await server.stop('SIGKILL');
        server = await startServer([...options, '--port', String(server.port)]);
      }
      await sleep(durationMs);
    }
    isOver = true;
    await Promise.all(clients);
    await readAll(clientOf(endpoint), history);

    expect(checkLinearizability(history)).toEqual({ kind: 'linearizable' });
    const kinds = new Set(history.map(({ answer }) => answer.kind));
    expect([...kinds].sort()).toEqual(['applied', 'not-applied', 'read', 'refused', 'unknown']);
  },
);
