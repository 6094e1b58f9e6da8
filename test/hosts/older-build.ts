import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../documents/snippets.ts';
import { temporaryDirectory } from '../parts/directory.ts';

/**
 * The last commit of the release before this one: what a cluster is upgraded from, node by node. To be raised with each
 * release.
 */
const BEFORE = '438744ba4dde1215ac143d0571028629881e1a18';

/** @returns why there is none here; undefined if there is one */
export function whyNoOlderBuild(): string | undefined {
  const { status } = spawnSync('git', ['cat-file', '-e', `${BEFORE}^{commit}`], { cwd: ROOT });
  return status === 0 ? undefined : 'this is no clone that has the release before: git fetch --unshallow';
}

/** Builds the release before. It is removed with the test. @returns the path of its command line */
export function buildOlder(): string {
  const folder = temporaryDirectory();
  const parts = ['src', 'commonjs', 'api-schema', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
  const archive = execFileSync('git', ['archive', BEFORE, ...parts], { cwd: ROOT, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'dist'));
  const compiler = join(ROOT, 'node_modules/.bin/tsc');
  execFileSync(compiler, ['-p', 'tsconfig.build.json', '--noCheck', '--declaration', 'false'], { cwd: folder });
  return join(folder, 'dist/cli.js');
}
