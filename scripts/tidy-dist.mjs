// Runs at the end of a build: removes from dist/ every file that no entry point imports. That is modules that held only
// types or whose source is gone, and type declarations that index.d.ts does not reach, which nobody can import.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const DIST = join(import.meta.dirname, '../dist');
/** All but the first two are for bench/; the package is packed without them. */
const CODE = [
  'cli.js',
  'index.js',
  'env/memory-store.js',
  'env/peer-transport.js',
  'wire/coordination-codec.js',
  'wire/hello.js',
  'wire/reply-codec.js',
  'wire/request-codec.js',
  'wire/ring-channels.js',
];
const TYPES = ['index.d.ts'];

/** Adds a file and everything that it imports to `found`. Paths are relative to dist/. */
function follow(path, found) {
  if (found.has(path)) return;
  found.add(path);
  const text = readFileSync(join(DIST, path), 'utf8');
  for (const [, target] of text.matchAll(/(?:\bfrom |\bimport\(|\bimport )['"](\.[^'"]+)['"]/g)) {
    follow(join(dirname(path), target.replace(/\.ts$/, '.d.ts')), found);
  }
}

const needed = new Set();
for (const path of [...CODE, ...TYPES]) follow(path, needed);
for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !needed.has(path.slice(DIST.length + 1))) rmSync(path);
}
