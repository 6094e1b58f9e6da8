import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Starts the load generator. `run(order)` resolves to what it measured: see load.mjs. One run at a time. */
export function startLoad() {
  const child = fork(fileURLToPath(new URL('load.mjs', import.meta.url)));
  return {
    watch: ({ pid, directory }) => child.send({ kind: 'watch', pid, directory }),
    unwatch: ({ pid }) => child.send({ kind: 'unwatch', pid }),
    run: (order) =>
      new Promise((resolve, reject) => {
        const ended = () => reject(new Error('the load generator ended'));
        child.once('exit', ended);
        child.once('message', ({ result, error }) => {
          child.off('exit', ended);
          if (error === undefined) resolve(result);
          else reject(new Error(error));
        });
        child.send({ kind: 'run', ...order });
      }),
    stop: () => child.kill('SIGKILL'),
  };
}
