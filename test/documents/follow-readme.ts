/**
 * npm run follow-readme [-- NODE ...]: follows the README, and the first hour of CONTRIBUTING.md, as somebody would who has
 * never seen the project: a fresh clone of the last commit, an empty npm cache, each block typed in turn, and what is printed
 * compared. NODE: `this`, or a version of Node as npm names it, whose binary is taken from npm. Default: `this`, and the
 * current LTS.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { Shell } from './shell.ts';
import { missingInCi, patternOf, ROOT, type Snippet, snippetsOf } from './snippets.ts';

/** Since 28 October 2026, by the release schedule of Node.js. */
const CURRENT_LTS = '26';
/** The longest is `npm ci` without a cache. */
const PATIENCE_MS = 300_000;

const asked = process.argv.slice(2);
for (const version of asked.length > 0 ? asked : ['this', CURRENT_LTS]) await follow(version);

async function follow(version: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'dynaring-reader-'));
  const node = version === 'this' ? dirname(process.execPath) : fetchNode(version, home);
  // What `npm run` tells its children of its own settings would be heard by the reader's npm too.
  const { npm_config_loglevel: _, ...env } = process.env;
  const PATH = [node, process.env.PATH].join(delimiter);
  // Of its own: a server says in its log what killed ones have left in the folder for temporary files.
  const TMPDIR = join(home, 'tmp');
  mkdirSync(TMPDIR);
  const shell = await Shell.open({ ...env, PATH, TMPDIR, npm_config_cache: join(home, 'npm-cache') }, PATIENCE_MS);
  const { output } = await shell.run(home, 'node', '--version');
  const beganMs = Date.now();
  const tell = (text: string) =>
    console.log(`node ${output.trim().slice(1)}, ${((Date.now() - beganMs) / 1_000).toFixed(1)} s: ${text}`);
  try {
    const clone = join(home, 'dynaring');
    const project = join(home, 'project');
    mkdirSync(project);
    await shell.run(project, 'npm', 'init', '--yes');
    for (const snippet of [...snippetsOf('README.md'), ...snippetsOf('CONTRIBUTING.md')]) {
      const isDone = await type(snippet, shell, { home, clone, project });
      if (isDone) tell(`${snippet.at} ${snippet.language} ${snippet.mark}`.trimEnd());
    }
    tell('all as the pages say');
  } finally {
    await shell.stopServer();
    rmSync(home, { recursive: true, force: true });
  }
}

interface Folders {
  /** Where the reader begins, beside the clone and a project of their own. */
  readonly home: string;
  readonly clone: string;
  readonly project: string;
}

/** @returns false for a block that is nothing to be done */
async function type(snippet: Snippet, shell: Shell, { home, clone, project }: Folders): Promise<boolean> {
  const { language, mark, text, printed, at } = snippet;
  const compare = (output: string) => {
    if (printed === undefined || patternOf(shell.adapted(printed)).test(output.trimEnd())) return true;
    throw new Error(`${at} says that this is printed:\n${shell.adapted(printed)}\nIt was:\n${output}`);
  };
  const run = async (folder: string, command: string, ...args: string[]) => {
    const { status, output } = await shell.run(folder, command, ...args);
    if (status !== 0) throw new Error(`${at} ended with status ${status}:\n${output}`);
    return compare(output);
  };
  const bash = (folder: string, commands: string) => run(folder, 'bash', '-eu', '-c', shell.adapted(commands));
  switch (`${language} ${mark}`.trimEnd()) {
    case 'sh':
      if (text.startsWith('git clone')) return bash(home, text.replace('<this repository>', ROOT));
      return bash(clone, text);
    case 'sh project':
      return bash(project, text);
    case 'sh server':
      return compare(await shell.serve(clone, text, PATIENCE_MS));
    case 'js':
      return run(clone, 'node', '--input-type=module', '--eval', text);
    case 'sh ci': {
      // .ci/run itself: the whole tests once more would be most of its time.
      const missing = missingInCi(snippet);
      if (missing.length === 0) return false;
      throw new Error(`${at}: .ci/run does not run ${missing.join(', ')}`);
    }
    default:
      throw new Error(`${at}: nobody runs this`);
  }
}

/** @returns the folder of the binary */
function fetchNode(version: string, home: string): string {
  const { platform, arch } = process;
  const folder = join(home, `node-${version}`);
  mkdirSync(folder);
  const name = `node-${platform === 'win32' ? 'win' : platform}-${arch}@${version}`;
  const packed = execFileSync('npm', ['pack', '--silent', name], { cwd: folder, encoding: 'utf8' }).trim();
  execFileSync('tar', ['-xzf', packed.split('\n').at(-1)!, '--strip-components=1'], { cwd: folder });
  return join(folder, 'bin');
}
