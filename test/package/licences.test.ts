import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Of what may be in a package under the MIT licence without asking more of who uses it than a notice. */
const COMPATIBLE = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'];

interface Component {
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly { readonly license?: { readonly id?: string }; readonly expression?: string }[];
}
let components: readonly Component[];

beforeAll(() => {
  components = JSON.parse(execFileSync('npm', ['run', '-s', 'sbom'], { cwd: ROOT, encoding: 'utf8' })).components;
});

test('the bill of materials has each package that is not for development alone', () => {
  const { packages } = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8')) as {
    packages: Record<string, { version: string; dev?: boolean }>;
  };
  const locked = Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(([path, { version }]) => `${path.replace(/.*node_modules\//, '')}@${version}`);
  const listed = components.map(({ name, version }) => `${name}@${version}`);
  expect(listed).toEqual(expect.arrayContaining(locked));
});

test('the licence of each is compatible', () => {
  const others = components.filter(({ licenses = [] }) => {
    const ids = licenses.map(({ license, expression }) => license?.id ?? expression ?? 'none');
    return ids.length === 0 || ids.some((id) => !COMPATIBLE.includes(id));
  });
  expect(others.map(({ name, licenses }) => `${name}: ${JSON.stringify(licenses)}`)).toEqual([]);
});
