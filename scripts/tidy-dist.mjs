// The end of a build: leaves in dist/ only what the package needs. Compiled files whose source is gone go, and type
// declarations that index.d.ts does not lead to: nobody can import those.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const DECLARATION = /\.d\.ts$/;

/** Adds to `found` what a declaration leads to, itself included. Paths are relative to dist/. */
function follow(path, found) {
  if (found.has(path)) return;
  found.add(path);
  const text = readFileSync(join(DIST, path), 'utf8');
  for (const [, target] of text.matchAll(/(?:\bfrom |\bimport\()['"](\.[^'"]+)\.ts['"]/g)) {
    follow(`${join(dirname(path), target)}.d.ts`, found);
  }
}

const needed = new Set();
follow('index.d.ts', needed);
for (const path of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
  const isOfBuild = DECLARATION.test(path) || path.endsWith('.js') || path.endsWith('.js.map');
  const source = join(ROOT, 'src', path.replace(/(\.d\.ts|\.js)$/, '.ts'));
  const isNeeded = DECLARATION.test(path) ? needed.has(path) : existsSync(source);
  if (isOfBuild && !isNeeded) rmSync(join(DIST, path));
}
