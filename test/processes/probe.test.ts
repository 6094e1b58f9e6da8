import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startServer } from './server-process.ts';

/** As the probe of @shelf/jest-dynamodb: it looks at the status, and leaves the body where it is. */
const PROBE = `import { get } from 'node:http'; get(process.argv[1], ({ statusCode }) => console.log(statusCode));`;

test.each([
  ['/', '400'],
  ['/health', '200'],
])('a process that has asked for %s, and leaves the answer unread, ends at once', async (path, status) => {
  const { endpoint } = await startServer([]);
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROBE, endpoint + path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  expect(String((await once(child.stdout, 'data'))[0]).trim()).toBe(status);
  // A connection that is kept holds it for 75 s.
  const isGone = await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 10_000, 'still there'))]);
  child.kill();
  expect(isGone).toEqual([0, null]);
});
