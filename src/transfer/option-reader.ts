import { parseArgs } from 'node:util';
import { helpLines } from '../config/help-lines.ts';
import { hintOf } from '../config/nearest.ts';
import { TransferError } from './failure.ts';

/** An option as it is written on the command line. */
export interface OptionText {
  /** The name of its value in the help; undefined for an option without one. */
  readonly value?: string;
  readonly help: string;
  /** Whether the value may be left out. */
  readonly optional?: true;
  /** Whether it may be given more than once. */
  readonly many?: true;
}

export type OptionTexts = Readonly<Record<string, OptionText>>;

/** The options that the user gave. */
export interface GivenOptions<Name extends string> {
  readonly operands: readonly string[];
  has(name: Name): boolean;
  /** The last value; undefined for an option that was not given or has no value. */
  value(name: Name): string | undefined;
  values(name: Name): readonly string[];
}

/**
 * Reads `--name value`, `--name=value` and operands; `-` is an operand.
 * @throws TransferError
 */
export function readOptions<Texts extends OptionTexts>(
  texts: Texts,
  argv: readonly string[],
): GivenOptions<Extract<keyof Texts, string>> {
  const types = Object.fromEntries(
    Object.entries(texts).map(([name, { value, optional }]) => [
      name,
      { type: value === undefined || optional ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options: types,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    const text = Object.hasOwn(texts, name) ? texts[name] : undefined;
    if (text === undefined) throw unknownOption(rawName.startsWith('--') ? rawName : argv[token.index]!, texts);
    if (text.value === undefined && value !== undefined) throw new TransferError(`--${name} takes no value`);
    const isMissing = text.value !== undefined && !text.optional && (value === undefined || value === '');
    if (isMissing || (!inlineValue && value?.startsWith('--'))) {
      throw new TransferError(`--${name} needs a value: --${name} ${text.value}`);
    }
    if (given.has(name) && !text.many) throw new TransferError(`--${name} is given more than once`);
    given.set(name, [...(given.get(name) ?? []), ...(value === undefined ? [] : [value])]);
  }
  return {
    operands,
    has: (name) => given.has(name),
    value: (name) => given.get(name)?.at(-1),
    values: (name) => given.get(name) ?? [],
  };
}

const HELP = new Set(['--help', '-help', '-h']);

/** Whether the user asks for help, whatever else is given. */
export function asksForHelp(argv: readonly string[]): boolean {
  return argv.some((arg) => HELP.has(arg));
}

/** @param given as typed, perhaps with a single dash */
function unknownOption(given: string, texts: OptionTexts): TransferError {
  const flags = Object.keys(texts).map((name) => `--${name}`);
  const name = given.split('=', 1)[0]!;
  return new TransferError(`there is no option ${name}${hintOf(name, flags) || '; --help lists those there are'}`);
}

export interface WholeNumberRange {
  readonly min: number;
  readonly max: number;
  /** The value if the option is not given. */
  readonly otherwise: number;
}

/** @throws TransferError */
export function wholeNumber(flag: string, text: string | undefined, { min, max, otherwise }: WholeNumberRange): number {
  if (text === undefined) return otherwise;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new TransferError(`--${flag} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}

/** @throws TransferError */
export function oneOf<Choice extends string>(flag: string, text: string | undefined, choices: readonly Choice[]) {
  if (text === undefined || choices.includes(text as Choice)) return text as Choice | undefined;
  const hint = hintOf(text, choices);
  throw new TransferError(`--${flag} must be one of ${choices.join(', ')}, not ${JSON.stringify(text)}${hint}`);
}

/** The help texts of the options. */
export function listOptions(texts: OptionTexts): string {
  const flags = Object.entries(texts).map(([name, { value, optional, help }]) => {
    const flag = value === undefined ? `--${name}` : optional ? `--${name}[=${value}]` : `--${name} ${value}`;
    return { flag, help };
  });
  const column = Math.max(...flags.map(({ flag }) => flag.length)) + 4;
  return flags.flatMap(({ flag, help }) => helpLines(flag, help, column)).join('\n');
}
