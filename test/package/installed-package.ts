import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A folder whose `node_modules` has the packed package, as `npm install` of the tarball leaves it. */
export interface InstalledPackage {
  readonly folder: string;
  /** `node_modules/dynaring` in it. */
  readonly path: string;
  /** The tarball's bytes. */
  readonly tarball: Uint8Array;
  /** What the tarball has, relative to the package. */
  readonly files: readonly string[];
  /** Writes files into the folder. */
  write(files: Readonly<Record<string, string>>): void;
  /** Runs a program of Node in the folder. @returns what it prints; it must not complain on standard error */
  run(...args: readonly string[]): string;
  remove(): void;
}

/**
 * Packs what was built; scripts do not run, because other tests run what `dist/` has. Dependencies are links to this
 * repository's, so that nothing is fetched.
 *
 * @param others packages beside those that the package depends on
 */
export function installPackage(others: readonly string[]): InstalledPackage {
  const folder = mkdtempSync(join(tmpdir(), 'dynaring-package-'));
  const name = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
  }).trim();
  const path = join(folder, 'node_modules/dynaring');
  mkdirSync(path, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, name), '--strip-components=1', '-C', path]);
  const { dependencies } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  for (const each of [...Object.keys(dependencies), ...others]) {
    mkdirSync(dirname(join(folder, 'node_modules', each)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', each), join(folder, 'node_modules', each));
  }
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  return {
    folder,
    path,
    tarball: readFileSync(join(folder, name)),
    files: readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
      .sort(),
    write(files) {
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    },
    run(...args) {
      const { PATH } = process.env;
      // What stands on standard error is thrown, with what the program prints.
      return execFileSync('sh', ['-c', '"$0" "$@" 2>&1', process.execPath, ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: { PATH },
      });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A program of the repository's `node_modules`. */
export function programPath(path: string): string {
  return join(ROOT, 'node_modules', path);
}
