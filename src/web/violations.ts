import { resolve, type Schema } from './schema.ts';

/** The JSON Schema keywords that the service calls constraints. */
export type Rule =
  | 'required'
  | 'minLength'
  | 'maxLength'
  | 'minItems'
  | 'maxItems'
  | 'minProperties'
  | 'maxProperties'
  | 'minimum'
  | 'maximum'
  | 'pattern'
  | 'enum';

/** One step of a path: a member of a structure, a position of a list (from 0), or a key of a map. */
export type Step = { readonly member: string } | { readonly position: number } | { readonly key: string };

/** One constraint that a request violates. */
export interface Violation {
  /** From the request down. */
  readonly path: readonly Step[];
  readonly rule: Rule;
  /**
   * What the rule applies to: the value itself, or all elements, keys or values in it, which are reported as a whole.
   */
  readonly of: 'value' | 'elements' | 'keys' | 'values';
  /** The schema that has the rule. */
  readonly schema: Schema;
  /** The value at the path; undefined for a missing member. */
  readonly value: unknown;
  /** The schema of `value`. */
  readonly valueSchema: Schema;
}

/**
 * Prepares a search for constraint violations.
 * @param schema of the requests
 */
export function searchFor(schema: Schema, common: Schema): Search {
  const constraints = compile(schema, common, new Map());
  return (request, most, levels) => {
    const walk: Walk = { most, path: [], found: [] };
    visit(walk, constraints, request, levels);
    return walk.found;
  };
}

/**
 * Finds the constraints that a request violates, in the order in which the service reports them: members in the order
 * of the schema, and for each member its constraints in order. Members of a wrong JSON type violate none.
 * @param most how many to find
 * @param levels how deep to look
 */
export type Search = (request: unknown, most: number, levels: number) => readonly Violation[];

type ValueRule = Exclude<Rule, 'required'>;

/**
 * What is required of a value and of the values in it. Empty where nothing is required: a request may have a million
 * values.
 */
interface Constraints {
  readonly schema: Schema;
  readonly rules: readonly ValueRule[];
  readonly members: readonly Member[];
  /** For all elements of a list, or all values of a map. */
  readonly parts: Constraints | undefined;
  /** For all keys of a map. */
  readonly keys: Constraints | undefined;
  /** Replaces all of the above, depending on the value (`if`, `then`, `else`). */
  readonly branch: { readonly when: Constraints; readonly yes: Constraints; readonly no: Constraints } | undefined;
}

interface Member {
  readonly name: string;
  readonly step: Step;
  readonly isRequired: boolean;
  readonly constraints: Constraints;
}

/** @param known schemas that are compiled or being compiled, because attribute values are recursive */
function compile(of: Schema, common: Schema, known: Map<Schema, Constraints>): Constraints {
  const schema = resolve(of, common);
  const before = known.get(schema);
  if (before !== undefined) return before;
  const constraints: { -readonly [Part in keyof Constraints]: Constraints[Part] } = {
    schema,
    rules: Object.keys(schema).filter(isValueRule),
    members: [],
    parts: undefined,
    keys: undefined,
    branch: undefined,
  };
  known.set(schema, constraints);
  const asked = (part: Schema | undefined): Constraints | undefined => {
    if (part === undefined) return undefined;
    const isKnown = known.has(resolve(part, common));
    const compiled = compile(part, common, known);
    return isKnown || asksAnything(compiled) ? compiled : undefined;
  };
  constraints.members = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const isRequired = schema.required?.includes(name) ?? false;
    const compiled = asked(child);
    if (!isRequired && compiled === undefined) return [];
    return { name, step: { member: name }, isRequired, constraints: compiled ?? compile(child, common, known) };
  });
  constraints.parts = asked(schema.items ?? schema.additionalProperties);
  constraints.keys = asked(schema.propertyNames);
  const { if: condition, then, else: otherwise, ...rest } = schema;
  if (condition !== undefined) {
    // A branch overrides the same keyword beside it.
    const merged = (branch: Schema = {}): Schema => ({
      ...rest,
      ...branch,
      required: [...(rest.required ?? []), ...(branch.required ?? [])],
    });
    constraints.branch = {
      when: compile(condition, common, known),
      yes: compile(merged(then), common, known),
      no: compile(merged(otherwise), common, known),
    };
  }
  return constraints;
}

function asksAnything({ rules, members, parts, keys, branch }: Constraints): boolean {
  return rules.length > 0 || members.length > 0 || (parts ?? keys ?? branch) !== undefined;
}

interface Walk {
  readonly most: number;
  /** The current path: members, positions and keys. */
  readonly path: (Step | number | string)[];
  readonly found: Violation[];
}

function visit(walk: Walk, of: Constraints, value: unknown, levels: number): void {
  const constraints = atWork(of, value);
  const { rules, schema } = constraints;
  for (const rule of rules) {
    if (BREAKS[rule](schema, value)) note(walk, { rule, of: 'value', schema, value, valueSchema: schema });
  }
  visitParts(walk, constraints, value, levels);
}

/** Visits the contents of a value; its own rules are checked elsewhere. */
function visitParts(walk: Walk, constraints: Constraints, value: unknown, levels: number): void {
  if (typeof value !== 'object' || value === null || levels === 0) return;
  if (Array.isArray(value)) visitElements(walk, constraints, value, levels);
  else if (constraints.schema.properties) visitMembers(walk, constraints, value, levels);
  else visitEntries(walk, constraints, value as Readonly<Record<string, unknown>>, levels);
}

function visitMembers(walk: Walk, { members }: Constraints, value: object, levels: number): void {
  for (const { name, step, isRequired, constraints } of members) {
    if (walk.found.length >= walk.most) return;
    const content = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    walk.path.push(step);
    if (content != null) {
      visit(walk, constraints, content, levels - 1);
    } else if (isRequired) {
      const { schema } = constraints;
      note(walk, { rule: 'required', of: 'value', schema, value: undefined, valueSchema: schema });
    }
    walk.path.pop();
  }
}

function visitElements(walk: Walk, { schema, parts }: Constraints, value: readonly unknown[], levels: number): void {
  if (parts === undefined) return;
  if (isScalar(parts)) {
    const broken = firstBroken(parts, value);
    if (broken) note(walk, { ...broken, of: 'elements', value, valueSchema: schema });
    return;
  }
  for (let position = 0; position < value.length && walk.found.length < walk.most; position++) {
    walk.path.push(position);
    visit(walk, parts, value[position], levels - 1);
    walk.path.pop();
  }
}

function visitEntries(
  walk: Walk,
  { schema, parts, keys }: Constraints,
  value: Readonly<Record<string, unknown>>,
  levels: number,
): void {
  const broken = keys && firstBroken(keys, Object.keys(value));
  if (broken) note(walk, { ...broken, of: 'keys', value, valueSchema: schema });
  if (parts === undefined) return;
  const areStructures = parts.schema.type === 'object';
  const brokenOnes = areStructures ? undefined : firstBroken(parts, Object.values(value));
  if (brokenOnes) note(walk, { ...brokenOnes, of: 'values', value, valueSchema: schema });
  if (isScalar(parts)) return;
  for (const key of Object.keys(value)) {
    if (walk.found.length >= walk.most) return;
    walk.path.push(key);
    if (areStructures) visit(walk, parts, value[key], levels - 1);
    else visitParts(walk, parts, value[key], levels - 1);
    walk.path.pop();
  }
}

function note({ most, path, found }: Walk, violation: Omit<Violation, 'path'>): void {
  if (found.length >= most) return;
  const steps = path.map((step): Step => {
    if (typeof step === 'object') return step;
    return typeof step === 'number' ? { position: step } : { key: step };
  });
  found.push({ ...violation, path: steps });
}

/** The first rule that any of the values violates. */
function firstBroken(of: Constraints, values: readonly unknown[]): Pick<Violation, 'rule' | 'schema'> | undefined {
  for (const value of values) {
    const { rules, schema } = atWork(of, value);
    for (const rule of rules) if (BREAKS[rule](schema, value)) return { rule, schema };
  }
  return undefined;
}

function atWork(constraints: Constraints, value: unknown): Constraints {
  const { branch } = constraints;
  if (branch === undefined) return constraints;
  return holds(branch.when, value) ? branch.yes : branch.no;
}

function holds({ rules, schema }: Constraints, value: unknown): boolean {
  if (rules.some((rule) => BREAKS[rule](schema, value))) return false;
  return (schema.required ?? []).every((member) => isMap(value) && Object.hasOwn(value, member));
}

function isScalar({ schema: { type } }: Constraints): boolean {
  return type !== 'object' && type !== 'array';
}

/** Whether a value of the right type violates the rule. */
const BREAKS: Readonly<Record<ValueRule, (schema: Schema, value: unknown) => boolean>> = {
  minLength: ({ minLength }, value) => typeof value === 'string' && isShorter(value, minLength!),
  maxLength: ({ maxLength }, value) => typeof value === 'string' && !isShorter(value, maxLength! + 1),
  minItems: ({ minItems }, value) => Array.isArray(value) && value.length < minItems!,
  maxItems: ({ maxItems }, value) => Array.isArray(value) && value.length > maxItems!,
  minProperties: ({ minProperties }, value) => isMap(value) && Object.keys(value).length < minProperties!,
  maxProperties: ({ maxProperties }, value) => isMap(value) && Object.keys(value).length > maxProperties!,
  minimum: ({ minimum }, value) => typeof value === 'number' && value < minimum!,
  maximum: ({ maximum }, value) => typeof value === 'number' && value > maximum!,
  pattern: ({ pattern }, value) => typeof value === 'string' && !compiled(pattern!).test(value),
  enum: ({ enum: values }, value) => typeof value === 'string' && !values!.includes(value),
};

function isValueRule(keyword: string): keyword is ValueRule {
  return Object.hasOwn(BREAKS, keyword);
}

const patterns = new Map<string, RegExp>();

function compiled(pattern: string): RegExp {
  const known = patterns.get(pattern) ?? new RegExp(pattern, 'u');
  patterns.set(pattern, known);
  return known;
}

/** Counts code points, as ajv does: every violation that ajv finds must be found here. */
function isShorter(text: string, length: number): boolean {
  if (text.length < length) return true;
  if (text.length >= length * 2) return false;
  let count = 0;
  for (const _ of text) if (++count >= length) return false;
  return true;
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
