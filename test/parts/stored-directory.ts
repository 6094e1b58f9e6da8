import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { temporaryDirectory } from './directory.ts';

/**
 * A data directory as an earlier version has left it, which is removed with the test.
 * @param name of a file in `test/data`
 */
export function storedDirectory(name: string): string {
  const path = temporaryDirectory();
  const stored = fileURLToPath(new URL(`../data/${name}`, import.meta.url));
  const files = JSON.parse(gunzipSync(readFileSync(stored)).toString()) as Record<string, string>;
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), Buffer.from(content, 'base64'));
  }
  return path;
}
