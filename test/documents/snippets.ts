import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A fenced block of a page. */
export interface Snippet {
  /** Path of the page in the repository, and the line of the fence: `docs/guide/faults.md:14`. */
  readonly at: string;
  readonly language: string;
  /** What stands after the language, such as `server`. Renderers do not show it. */
  readonly mark: string;
  readonly text: string;
  /** What the page says that it prints: a block without a language, directly below. */
  readonly printed: string | undefined;
}

/** How a block may be marked, and what that means for whoever runs it. Any other block is an error. */
export const MARKS: Readonly<Record<string, readonly string[]>> = {
  /** A program, or some lines of one in which `db`, `client` and the commands of the SDK are at hand. `cjs`: CommonJS. */
  js: ['', 'cjs'],
  /**
   * Commands. `server`: the last one goes on until the page ends. `project`: typed in a project of the reader's own.
   * `docker`: needs a container engine, `cloud`: the service itself; of these only the syntax is checked. `ci`: what
   * `.ci/run` does. `npm`: fetches a package of others, which `test/from-npm.test.ts` tries.
   */
  sh: ['', 'server', 'project', 'docker', 'cloud', 'ci', 'npm'],
  python: [''],
  json: [''],
  yaml: [''],
  diff: [''],
  /** What something prints, or a picture. */
  '': [''],
};

/** The fenced blocks of a page, in order; those that say what the one above prints are part of it. */
export function snippetsOf(page: string): readonly Snippet[] {
  const text = readFileSync(`${ROOT}${page}`, 'utf8');
  const blocks = [...text.matchAll(/^( *)```([a-z]*)(?: +(\S+))?\n([\s\S]*?)^ *```$/gm)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    end: match.index + match[0].length,
    index: match.index,
    language: match[2]!,
    mark: match[3] ?? '',
    text: outdented(match[4]!, match[1]!.length),
  }));
  const isPrinted = (at: number) => {
    const [before, block] = [blocks[at - 1], blocks[at]];
    if (before === undefined || block === undefined || block.language !== '' || before.language === '') return false;
    return text.slice(before.end, block.index).trim() === '';
  };
  return blocks
    .map((block, at) => ({
      at: `${page}:${block.line}`,
      language: block.language,
      mark: block.mark,
      text: block.text,
      printed: isPrinted(at + 1) ? blocks[at + 1]!.text : undefined,
      isPartOfLast: isPrinted(at),
    }))
    .filter(({ isPartOfLast }) => !isPartOfLast);
}

/** Those commands of a block marked `ci` that `.ci/run` does not have. It may give them more arguments. */
export function missingInCi({ text }: Snippet): readonly string[] {
  const lines = readFileSync(`${ROOT}.ci/run`, 'utf8').split('\n');
  const runs = (command: string) => lines.some((line) => !line.startsWith('#') && ` ${line} `.includes(` ${command} `));
  const commands = text.split(/\n|&&/).map((command) => command.trim());
  return commands.filter((command) => command !== '' && !runs(command));
}

function outdented(text: string, spaces: number): string {
  return text.replaceAll(new RegExp(`^ {${spaces}}`, 'gm'), '');
}

/**
 * A pattern for what a page says is printed: `...` stands for anything, and what differs from run to run (versions, ports,
 * times, ids) is written so.
 */
export function patternOf(printed: string): RegExp {
  const parts = printed.trimEnd().split('...');
  return new RegExp(`^${parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('[\\s\\S]*?')}$`);
}
