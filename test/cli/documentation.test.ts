import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { helpText } from '../../src/config/help.ts';
import { DYNALITE_HINTS, LOCAL_FLAGS } from '../../src/config/local-flags.ts';
import { OPTIONS, SETTING_NAMES, variableOf } from '../../src/config/options.ts';

const GUIDE = readFileSync(new URL('../../docs/guide/command-line.md', import.meta.url), 'utf8');
const sectionOf = (title: string) => GUIDE.split(/^## /m).find((section) => section.startsWith(`${title}\n`))!;

/** The first cells of the rows of its table. */
function rowsOf(title: string): readonly (readonly string[])[] {
  const rows = sectionOf(title)
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  return rows.map((row) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')));
}

describe('docs/guide/command-line.md', () => {
  test('has a row for each option with its variable, in no other spelling', () => {
    const documented = rowsOf('Options').map(([, flag, variable]) => [flag, variable]);
    const understood = SETTING_NAMES.map((name) => [OPTIONS[name].flag, variableOf(name)]);
    expect(documented.sort()).toEqual([...understood, ['--help, --version', '']].sort());
  });

  test("has all of DynamoDB Local's flags, as --help has", () => {
    for (const flag of ['port', 'cors', 'help', 'version', ...LOCAL_FLAGS.keys()]) {
      expect(sectionOf('Coming from DynamoDB Local')).toContain(`\`-${flag}`);
      expect(helpText()).toContain(`-${flag}`);
    }
  });

  test("has all of dynalite's options that are refused with a hint", () => {
    for (const option of DYNALITE_HINTS.keys()) expect(sectionOf('Coming from dynalite')).toContain(`\`--${option}`);
  });
});
