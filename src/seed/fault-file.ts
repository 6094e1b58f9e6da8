import { readFileSync } from 'node:fs';
import { AdminError, type FaultRule } from '../api/fault-rule.ts';
import { ConfigError } from '../config.ts';

/**
 * Adds the fault rules of a JSON file, which is one rule or an array of them.
 *
 * @throws ConfigError that names the file, the rule and what is wrong with it
 */
export function addFaultsOfFile(path: string, add: (rule: FaultRule) => void): void {
  const json = parse(path);
  const rules: readonly unknown[] = Array.isArray(json) ? json : [json];
  for (const [index, rule] of rules.entries()) {
    try {
      // `add` validates it.
      add(rule as FaultRule);
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      const which = Array.isArray(json) ? `, rule ${index + 1} of ${rules.length}` : '';
      throw new ConfigError(`--faults ${path}${which}: ${error.message}`);
    }
  }
}

function parse(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`--faults ${path} cannot be read: ${(error as Error).message}`);
  }
  try {
    // Some editors begin a file with a byte order mark, which JSON does not allow.
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new ConfigError(`--faults ${path} is not JSON: ${(error as Error).message.replaceAll(/\s*\n\s*/g, ' ')}`);
  }
}
