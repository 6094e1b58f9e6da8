import { AdminError } from '../api/fault-rule.ts';
import type { ByteString } from '../api/primary-key.ts';
import { readFaultRule } from '../api/read-fault-rule.ts';
import type { LagPlace } from '../dynamo/client.ts';
import { noSuchRule, type SeededRule } from './rule-in-force.ts';

/**
 * The fault rules of a cluster: what its one strict item says, apart from how often rules have fired. Whoever changes
 * it writes the next version on the condition that this one is still there.
 */
export interface SharedRules {
  /** Counts the changes. 0: nobody has ever changed anything. */
  readonly version: number;
  /** A random text of the change that made this version: by it a writer knows its own. */
  readonly edit: string;
  /** How many rules there have ever been: no id is given twice. */
  readonly lastId: number;
  /** In the order in which they came. */
  readonly rules: readonly SharedRule[];
}

export interface SharedRule {
  readonly id: string;
  readonly rule: SeededRule;
  /** When it was set, in ms since 1970 by the clock of the process that did. */
  readonly setAtMs: number;
  /** Of a staleness rule, by storage id: what replicas hold back of the tables that were used since. */
  readonly places: readonly PlacesOfTable[];
}

export interface PlacesOfTable {
  readonly table: ByteString;
  readonly places: readonly LagPlace[];
}

/** What all of it may have, in bytes of JSON: the item is rewritten by each change, and an item has 400 KB at most. */
const MOST_BYTES = 200_000;
/**
 * Tables of one staleness rule. Beyond that, the one that was added first is left out: as a rule it was deleted long ago;
 * if not, it is added again before it is written to.
 */
const MOST_TABLES = 500;

export const NO_RULES: SharedRules = { version: 0, edit: '', lastId: 0, rules: [] };

/** @returns the next version, with the rule under a new id, which comes last */
export function withRule(
  shared: SharedRules,
  { rule, setAtMs, places }: Omit<SharedRule, 'id'>,
  edit: string,
): SharedRules {
  const lastId = shared.lastId + 1;
  const added: SharedRule = { id: `f${lastId}`, rule, setAtMs, places };
  return checkedSize({ version: shared.version + 1, edit, lastId, rules: [...shared.rules, added] });
}

/** @throws AdminError if there is no rule of that id */
export function withoutRule(shared: SharedRules, id: string, edit: string): SharedRules {
  if (!shared.rules.some((rule) => rule.id === id)) throw noSuchRule(id);
  return { ...shared, version: shared.version + 1, edit, rules: shared.rules.filter((rule) => rule.id !== id) };
}

/** @returns the same object if there are no rules */
export function withoutRules(shared: SharedRules, edit: string): SharedRules {
  return shared.rules.length === 0 ? shared : { ...shared, version: shared.version + 1, edit, rules: [] };
}

/**
 * Adds what replicas are to hold back of a table. What is there stays: another router may know a newer definition.
 *
 * @param placesOf what a rule of staleness is for in the table
 * @returns the same object if all of it is there
 */
export function withPlaces(
  shared: SharedRules,
  table: ByteString,
  placesOf: (rule: SharedRule) => readonly LagPlace[],
  edit: string,
): SharedRules {
  let isChanged = false;
  const rules = shared.rules.map((rule) => {
    const wanted = placesOf(rule);
    if (isPlaced(rule, table, wanted)) return rule;
    isChanged = true;
    const known = rule.places.find((each) => each.table === table)?.places ?? [];
    const others = rule.places.filter((each) => each.table !== table).slice(1 - MOST_TABLES);
    return { ...rule, places: [...others, { table, places: [...known, ...missingIn(known, wanted)] }] };
  });
  return isChanged ? checkedSize({ ...shared, version: shared.version + 1, edit, rules }) : shared;
}

/** Whether a rule has all these places of a table. */
export function isPlaced({ places }: SharedRule, table: ByteString, wanted: readonly LagPlace[]): boolean {
  if (wanted.length === 0) return true;
  const known = places.find((each) => each.table === table)?.places;
  return known !== undefined && missingIn(known, wanted).length === 0;
}

function missingIn(known: readonly LagPlace[], wanted: readonly LagPlace[]): readonly LagPlace[] {
  const texts = new Set(known.map((place) => JSON.stringify(place)));
  return wanted.filter((place) => !texts.has(JSON.stringify(place)));
}

function checkedSize(shared: SharedRules): SharedRules {
  const bytes = Buffer.byteLength(textOf(shared));
  if (bytes <= MOST_BYTES) return shared;
  throw new AdminError(
    `all fault rules of a cluster together may have ${MOST_BYTES} bytes, and would have ${bytes}`,
    undefined,
    409,
  );
}

/** What is stored beside the version. */
export function textOf({ edit, lastId, rules }: SharedRules): string {
  return JSON.stringify({ edit, lastId, rules });
}

/** Reads what was stored. @returns undefined for anything else, as a later release may write */
export function sharedRulesIn(version: number, text: string): SharedRules | undefined {
  try {
    const { edit, lastId, rules } = Object(JSON.parse(text)) as Partial<Record<keyof SharedRules, unknown>>;
    if (typeof edit !== 'string' || !Number.isSafeInteger(lastId) || !Array.isArray(rules)) return undefined;
    return { version, edit, lastId: lastId as number, rules: rules.map(sharedRuleIn) };
  } catch {
    return undefined;
  }
}

/** @throws if it is none */
function sharedRuleIn(value: unknown): SharedRule {
  const { id, rule, setAtMs, places } = Object(value) as Partial<Record<keyof SharedRule, unknown>>;
  const read = readFaultRule(rule);
  if (typeof id !== 'string' || read.seed === undefined || !Number.isFinite(setAtMs) || !Array.isArray(places)) {
    throw new TypeError('not a rule');
  }
  return { id, rule: { ...read, seed: read.seed }, setAtMs: setAtMs as number, places };
}
