import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * The tests of whole processes run what is in `dist/`; this builds it before a run if a source is newer. A type error
 * does not stop the run: `npm run typecheck` tells it better.
 */
export function setup(): void {
  const sources = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const changedMs = Math.max(...sources.map((path) => statSync(`${ROOT}src/${path}`).mtimeMs));
  const builtMs = statSync(`${ROOT}dist/cli.js`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (builtMs >= changedMs) return;
  try {
    execFileSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: 'inherit' });
  } catch {
    console.error('dist/ was built in spite of type errors');
  }
}
