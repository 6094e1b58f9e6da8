import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/*
 * `npm run simulate`: the command of `simulate.ts` as one file of JavaScript, which workers run too. Compiled on the fly, by tsx,
 * every function is wrapped for the sake of its name, and histories take a sixth longer.
 */
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'dynaring-simulation-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** Stories are read from beside the source, not from beside the bundle. */
function besideItsSource({ path }) {
  const url = JSON.stringify(pathToFileURL(path).href);
  return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url), loader: 'ts' };
}

const program = join(directory, 'simulate.mjs');
await build({
  entryPoints: [here('simulate.ts')],
  outfile: program,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  plugins: [{ name: 'stories', setup: (bundle) => bundle.onLoad({ filter: /stories.library\.ts$/ }, besideItsSource) }],
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
});
// A map is read when the stack of an error is, and not before. Workers are started with the same flag.
process.setSourceMapsEnabled(true);
process.execArgv.push('--enable-source-maps');
// What a message needs is garbage a moment later: with a large young generation a history takes a sixth less.
process.execArgv.push('--max-semi-space-size=64', '--min-semi-space-size=64', '--single-threaded-gc');
await import(pathToFileURL(program).href);
