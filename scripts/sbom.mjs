// Prints the software bill of materials (SBOM) of the package, in CycloneDX. `npm sbom --omit dev` alone leaves out
// packages that development needs as well; so npm is shown a lock file without the development dependencies.
// Run: npm run sbom
// With --installed, it lists only what is in node_modules: of LMDB's binaries, those of this machine.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const isForInstalled = process.argv.includes('--installed');

const read = (name) => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
const withoutDevelopment = ({ devDependencies, scripts, ...rest }) => rest;

const lock = read('package-lock.json');
const isWanted = (path, { dev }) => !dev && (!isForInstalled || existsSync(join(ROOT, path)));
const packages = Object.entries(lock.packages).filter(([path, each]) => path !== '' && isWanted(path, each));
const kept = { ...lock, packages: { '': withoutDevelopment(lock.packages['']), ...Object.fromEntries(packages) } };

const parent = mkdtempSync(join(tmpdir(), 'dynaring-sbom-'));
try {
  // npm takes the name of the package from the name of the folder.
  const folder = join(parent, lock.name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify(withoutDevelopment(read('package.json'))));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(kept));
  const args = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
  process.stdout.write(execFileSync('npm', args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 }));
} finally {
  rmSync(parent, { recursive: true, force: true });
}
