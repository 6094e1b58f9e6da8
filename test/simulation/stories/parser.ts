import { DEFAULT_NODE_LIMITS, type NodeLimits } from '../../../src/dynamo/node-settings.ts';
import type { Violation } from '../checks.ts';
import { BREAKABLE } from './broken-in-stories.ts';
import { parseCommand } from './commands.ts';
import type { BrokenTwin, Setting, Step, Story } from './story.ts';

/** What the judges of stories can find. */
const SHOWN: readonly Violation['kind'][] = ['not-linearizable', 'invariant', 'dirty-read', 'stale-read', 'lost-write'];

/**
 * Reads a story: comments, then its setting, then one command a line (docs/simulation.md, Stories).
 * @throws with the place, of a line that is not understood
 */
export function parseStory(name: string, text: string): Story {
  const steps: Step[] = [];
  const claim: string[] = [];
  let setting: Setting = DEFAULT_SETTING;
  let broken: BrokenTwin | undefined;
  for (const [index, whole] of text.split('\n').entries()) {
    const line = index + 1;
    const words = whole.replace(/#.*/, '').trim().replace(/\s+/g, ' ');
    if (words === '') {
      if (whole.startsWith('#') && setting.members.length === 0) claim.push(whole.slice(1).trim());
      continue;
    }
    const refuse = (why: string): never => {
      throw new SyntaxError(`${name}.story:${line}: ${why}: ${words}`);
    };
    const found = parseSetting(words, setting, refuse);
    if (found !== undefined) {
      if (steps.length > 0) refuse('the setting comes before what happens');
      if (found.kind === 'setting') setting = found.setting;
      else broken = found.broken;
      continue;
    }
    if (setting.members.length === 0) refuse('the nodes have to be named first');
    const command = parseCommand(words, [...setting.members, ...setting.spares], setting.members, refuse);
    steps.push({ line, text: words, command });
  }
  checkJoins(name, steps);
  return { name, claim: claim.join(' '), setting, broken, steps };
}

const DEFAULT_SETTING: Setting = {
  members: [],
  spares: [],
  consistency: 'strict',
  writeQuorum: 2,
  readQuorum: 1,
  readRepair: true,
  limits: {},
};

type Found =
  | { readonly kind: 'setting'; readonly setting: Setting }
  | { readonly kind: 'broken'; readonly broken: BrokenTwin };

function parseSetting(words: string, setting: Setting, refuse: (why: string) => never): Found | undefined {
  const [first, ...rest] = words.split(' ');
  const changed = (change: Partial<Setting>): Found => ({ kind: 'setting', setting: { ...setting, ...change } });
  const number = (text: readonly string[]) =>
    text.length === 1 && /^\d+$/.test(text[0]!) ? Number(text[0]) : refuse('one number is wanted');
  switch (first) {
    case 'nodes':
    case 'spares':
      if (rest.length === 0 || !rest.every((id) => /^[A-Z]$/.test(id))) refuse('nodes are named by one letter each');
      return changed(first === 'nodes' ? { members: rest } : { spares: rest });
    case 'mode': {
      const [mode] = rest;
      if (rest.length !== 1 || (mode !== 'strict' && mode !== 'dynamo'))
        return refuse('the modes are strict and dynamo');
      return changed({ consistency: mode });
    }
    case 'W':
      return changed({ writeQuorum: number(rest) });
    case 'R':
      return changed({ readQuorum: number(rest) });
    case 'read-repair':
      return rest.join(' ') === 'off' ? changed({ readRepair: false }) : refuse('read-repair can only be off');
    case 'limit': {
      const [limit, ...value] = rest;
      if (!Object.hasOwn(DEFAULT_NODE_LIMITS, limit ?? '')) refuse('no such limit');
      const limits: Partial<NodeLimits> = { ...setting.limits, [limit!]: number(value) };
      return changed({ limits });
    }
    case 'breaks': {
      const [rule, arrow, shows] = rest;
      const kind = SHOWN.find((each) => each === shows);
      if (rule === undefined || !Object.hasOwn(BREAKABLE, rule)) return refuse('no such rule');
      if (arrow !== '->' || kind === undefined || rest.length > 3)
        return refuse(`a broken rule shows as one of ${SHOWN.join(', ')}`);
      return { kind: 'broken', broken: { rule, shows: kind } };
    }
    default:
      return undefined;
  }
}

/** What begins in the background has to be waited for, or its outcome would not be looked at. */
function checkJoins(name: string, steps: readonly Step[]): void {
  const open = new Map<string, number>();
  for (const { command, line } of steps) {
    if (command.kind === 'begin') open.set(command.name, line);
    if (command.kind === 'join' && !open.delete(command.name)) {
      throw new SyntaxError(`${name}.story:${line}: ${command.name} was not begun`);
    }
  }
  for (const [task, line] of open) throw new SyntaxError(`${name}.story:${line}: ${task} is not waited for`);
}
