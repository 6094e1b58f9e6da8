import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** An empty directory that is removed with the test, after its `afterEach` hooks. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
