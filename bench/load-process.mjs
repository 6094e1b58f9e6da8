import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Starts the load generator. `run(server, order)` resolves to its measurements (see load.mjs), and rejects if the
 * server exits meanwhile. One run at a time.
 */
export function startLoad() {
  const child = fork(fileURLToPath(new URL('load.mjs', import.meta.url)));
  return {
    watch: ({ pid, directory }) => child.send({ kind: 'watch', pid, directory }),
    unwatch: ({ pid }) => child.send({ kind: 'unwatch', pid }),
    run: (server, order) =>
      new Promise((resolve, reject) => {
        const ended = () => reject(new Error('the load generator ended'));
        server.ended.then(() => reject(new Error(`${server.name} ended under load: ${server.errors}`)));
        child.once('exit', ended);
        child.once('message', ({ result, error }) => {
          child.off('exit', ended);
          if (error === undefined) resolve(result);
          else reject(new Error(`${server.name}: ${error}`));
        });
        child.send({ kind: 'run', pid: server.pid, port: server.port, ...order });
      }),
    stop: () => child.kill('SIGKILL'),
  };
}
