import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type InstalledPackage, installPackage, programPath } from './installed-package.ts';

let installed: InstalledPackage;
beforeAll(() => {
  installed = installPackage(['@types/node', 'undici-types']);
});
afterAll(() => installed?.remove());

const read = (path: string) => readFileSync(join(installed.path, path), 'utf8');

/** What files lead to by their imports, themselves included. */
function reach(entries: readonly string[], ending: { readonly in: RegExp; readonly of: string }): string[] {
  const found = new Set<string>();
  const follow = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    for (const [, target] of read(path).matchAll(/(?:\bfrom |\bimport\(|\bimport )['"](\.[^'"]+)['"]/g)) {
      follow(join(dirname(path), target!.replace(ending.in, ending.of)));
    }
  };
  for (const entry of entries) follow(entry);
  return [...found].sort();
}

describe('the tarball has', () => {
  test('every compiled file that the entries lead to, and no other', () => {
    const code = installed.files.filter((path) => /^dist\/.*\.js$/.test(path));
    expect(code).toEqual(reach(['dist/cli.js', 'dist/index.js'], { in: /$/, of: '' }));
  });

  test('every type declaration that the public one leads to, and no other', () => {
    const types = installed.files.filter((path) => /^dist\/.*\.d\.ts$/.test(path));
    expect(types).toEqual(reach(['dist/index.d.ts'], { in: /(\.d)?\.[jt]s$/, of: '.d.ts' }));
  });

  test('beside them what is listed here', () => {
    const others = installed.files.filter((path) => !/^dist\/.*(\.d\.ts|\.js)$/.test(path));
    const schemas = readdirSync(new URL('../../api-schema/', import.meta.url)).map((name) => `api-schema/${name}`);
    const commonjs = ['check-node.cjs', 'cli.cjs', 'index.cjs', 'index.d.cts'].map((name) => `commonjs/${name}`);
    const rest = ['LICENSE', 'README.md', ...commonjs, 'package.json'];
    expect(others).toEqual([...rest, ...schemas].sort());
  });

  test('no reference to a source map, and none is there', () => {
    expect(installed.files.filter((path) => path.endsWith('.map') || /sourceMappingURL/.test(read(path)))).toEqual([]);
  });
});

test('publint has nothing to say', async () => {
  const { messages } = await publint({ pkgDir: installed.path, strict: true });
  expect(messages).toEqual([]);
});

test('the types are right however the package is resolved', async () => {
  const analysis = await checkPackage(createPackageFromTarballData(installed.tarball));
  expect(analysis.types).not.toBe(false);
  if (analysis.types === false) return;
  // Resolution without `exports` is TypeScript's for Node 10, which has the CommonJS half.
  expect(analysis.problems).toEqual([]);
});

test('the declarations of both halves declare the same', () => {
  const required = createRequire(join(installed.folder, 'any.cjs'))('dynaring');
  const declared = [...read('commonjs/index.d.cts').matchAll(/^export declare const (\w+):/gm)].map(([, name]) => name);
  expect(declared.sort()).toEqual(Object.keys(required).sort());
});

const CONSUMER = `
import { ConfigError, startDynaring, type Dynaring, type FaultRule } from 'dynaring';
const rule: FaultRule = { kind: 'latency', ms: 5 };
export async function start(): Promise<Dynaring> {
  await using dynaring = await startDynaring({ nodes: 1 });
  dynaring.faults.add(rule);
  return dynaring;
}
export const asConfigError = (error: unknown): ConfigError | undefined =>
  error instanceof ConfigError ? error : undefined;
// @ts-expect-error there is no such setting
void startDynaring({ nodez: 1 });
`;

describe('TypeScript takes it, strictly and with the libraries checked', () => {
  test.each([
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('module %s, resolution %s', (module, moduleResolution) => {
    installed.write({ 'consumer.mts': CONSUMER, 'consumer.cts': CONSUMER, 'consumer.ts': CONSUMER });
    const files = ['consumer.mts', 'consumer.ts', ...(moduleResolution === 'bundler' ? [] : ['consumer.cts'])];
    const settings = { module, moduleResolution, target: 'es2022', strict: true, skipLibCheck: false, noEmit: true };
    const compilerOptions = { ...settings, lib: ['es2023', 'esnext.disposable'] };
    installed.write({ 'tsconfig.json': JSON.stringify({ compilerOptions, files }) });
    expect(installed.run(programPath('typescript/bin/tsc'), '-p', 'tsconfig.json')).toBe('');
  });
});
