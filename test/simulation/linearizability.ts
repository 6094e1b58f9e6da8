/**
 * Decides whether a history of operations on registers is linearizable (Herlihy and Wing 1990): whether every operation
 * can be given one instant between its call and its return so that all answers are those of a plain variable.
 *
 * The search is Lowe's just-in-time form of Wing and Gong's ("Testing for linearizability", 2017): it walks the returns
 * in order of time and lets operations take effect only when the next return needs it, with every configuration visited
 * once. Three facts about registers keep it small, and make histories of thousands of operations on a key practical:
 * - An operation that changes nothing whatever the value is (a read, a refused condition) takes effect as soon as its
 *   answer is right: nothing is lost by not waiting.
 * - A configuration with fewer unknown operations spent can do all that one with more of them can, so the latter is
 *   dropped.
 * - An unknown operation is let take effect only where that changes the value.
 */

/** What a register holds; null stands for "no item". */
export type RegisterValue = string | null;

/** When a conditional write takes place. */
export type RegisterCondition =
  | { readonly kind: 'equals'; readonly value: string }
  | { readonly kind: 'exists' }
  | { readonly kind: 'absent' };

export type RegisterCall =
  | { readonly kind: 'put'; readonly value: string; readonly condition?: RegisterCondition }
  | { readonly kind: 'delete'; readonly condition?: RegisterCondition }
  | { readonly kind: 'read' };

export type RegisterAnswer =
  | { readonly kind: 'read'; readonly value: RegisterValue }
  /** The value was not told, but that it is one of these: of an item that a query of an index did not show. */
  | { readonly kind: 'read-as-one-of'; readonly isPossible: (value: RegisterValue) => boolean }
  /** `old` only where the operation asked for the value that it replaced. */
  | { readonly kind: 'applied'; readonly old?: RegisterValue }
  /** The condition was false. `current` only where the operation asked for the value that made it so. */
  | { readonly kind: 'refused'; readonly current?: RegisterValue }
  /** May take effect at any time after the call, also after the end of the history, or never. */
  | { readonly kind: 'unknown' }
  /** Has not taken effect and never will. */
  | { readonly kind: 'not-applied' };

export interface Operation {
  readonly key: string;
  /** Any clock that never steps back; operations that share an instant count as concurrent. */
  readonly calledAt: number;
  /** Not looked at where the answer is unknown. */
  readonly returnedAt: number;
  readonly call: RegisterCall;
  readonly answer: RegisterAnswer;
}

export type Verdict =
  | { readonly kind: 'linearizable' }
  /** No order explains `operation` and all that returned before it; `possible` is what the register could have held. */
  | { readonly kind: 'violation'; readonly operation: Operation; readonly possible: readonly RegisterValue[] }
  /** `maxConfigurations` were not enough to tell. */
  | { readonly kind: 'undecided'; readonly key: string };

/**
 * Checks every key of the history on its own (linearizability is local). All registers start as "no item".
 * The verdict is that of the first key, in order of appearance, that is not linearizable.
 */
export function checkLinearizability(history: readonly Operation[], maxConfigurations = 1_000_000): Verdict {
  const keys = new Map<string, Operation[]>();
  for (const operation of history) {
    const ofKey = keys.get(operation.key);
    if (ofKey) ofKey.push(operation);
    else keys.set(operation.key, [operation]);
  }
  for (const operations of keys.values()) {
    const verdict = checkRegister(operations, maxConfigurations);
    if (verdict.kind !== 'linearizable') return verdict;
  }
  return { kind: 'linearizable' };
}

/** A point of the search: which operations have taken effect before the return number `at`, and what they left. */
interface Configuration {
  readonly at: number;
  readonly value: RegisterValue;
  /** Ascending indexes of operations that have taken effect and not returned yet; never of unknown ones. */
  readonly early: readonly number[];
  /** Ascending indexes of unknown operations that have taken effect. */
  readonly spent: readonly number[];
}

function checkRegister(history: readonly Operation[], maxConfigurations: number): Verdict {
  const operations = history
    .filter((operation) => operation.answer.kind !== 'not-applied' && !isUnknownRead(operation))
    .sort((a, b) => a.calledAt - b.calledAt);
  const returns = operations
    .map((_, index) => index)
    .filter((index) => operations[index]!.answer.kind !== 'unknown')
    .sort((a, b) => operations[a]!.returnedAt - operations[b]!.returnedAt);
  const open = returns.map((_, at) => openOperations(operations, returns, at));

  const visited = new Map<string, (readonly number[])[]>();
  const frontier = new Frontier();
  frontier.push({ at: 0, value: null, early: [], spent: [] });
  let farthest = -1;
  let possible: RegisterValue[] = [];
  for (let count = 0; count < maxConfigurations; ) {
    const current = frontier.pop();
    if (current === undefined) return { kind: 'violation', operation: operations[returns[farthest]!]!, possible };
    if (current.at === returns.length) return { kind: 'linearizable' };
    if (isDominated(visited, current)) continue;
    count++;
    if (current.at > farthest) {
      farthest = current.at;
      possible = [];
    }
    if (current.at === farthest && !possible.includes(current.value)) possible.push(current.value);
    pushSuccessors(frontier, current, operations, returns[current.at]!, open[current.at]!);
  }
  return { kind: 'undecided', key: operations[0]!.key };
}

/**
 * The configurations still to visit. First the one that got farthest, so that a good history is walked straight to its
 * end; among those the one with the fewest unknown operations spent, so that it dominates those that come after it; and
 * among those the latest.
 */
class Frontier {
  /** By `at`, then by the length of `spent`. */
  readonly #levels: Configuration[][][] = [];

  push(configuration: Configuration): void {
    const { at, spent } = configuration;
    while (this.#levels.length <= at) this.#levels.push([]);
    const level = this.#levels[at]!;
    while (level.length <= spent.length) level.push([]);
    level[spent.length]!.push(configuration);
  }

  pop(): Configuration | undefined {
    for (;;) {
      const level = this.#levels.at(-1);
      if (level === undefined) return undefined;
      const found = level.find((configurations) => configurations.length > 0)?.pop();
      if (found !== undefined) return found;
      this.#levels.pop();
    }
  }
}

/** The operations that may take effect just before return number `at`: called by then and not yet returned. */
function openOperations(operations: readonly Operation[], returns: readonly number[], at: number): number[] {
  const instant = operations[returns[at]!]!.returnedAt;
  const open = returns.slice(at).filter((index) => operations[index]!.calledAt <= instant);
  for (const [index, { answer, calledAt }] of operations.entries()) {
    if (answer.kind === 'unknown' && calledAt <= instant) open.push(index);
  }
  return open;
}

/** Pushes the likeliest successor last, so that it is tried first. */
function pushSuccessors(
  frontier: Frontier,
  current: Configuration,
  operations: readonly Operation[],
  next: number,
  open: readonly number[],
): void {
  const { at, value, spent } = current;
  let early = current.early;
  if (early.includes(next)) {
    frontier.push({ at: at + 1, value, early: early.filter((index) => index !== next), spent });
    return;
  }
  const waiting = open.filter((index) => !early.includes(index) && !spent.includes(index));
  for (const index of waiting) {
    const operation = operations[index]!;
    if (changesNothing(operation) && effect(operation, value) !== undefined) early = withMember(early, index);
  }
  if (early !== current.early) {
    frontier.push({ at, value, early, spent });
    return;
  }
  for (const index of waiting) {
    const operation = operations[index]!;
    const after = effect(operation, value);
    if (after === undefined || index === next) continue;
    if (operation.answer.kind !== 'unknown')
      frontier.push({ at, value: after, early: withMember(early, index), spent });
    else if (after !== value) frontier.push({ at, value: after, early, spent: withMember(spent, index) });
  }
  const after = effect(operations[next]!, value);
  if (after !== undefined) frontier.push({ at: at + 1, value: after, early, spent });
}

/**
 * The value after `operation` takes effect on `value`, or undefined where its answer would have been another one.
 * Of an unknown operation only its condition counts.
 */
function effect({ call, answer }: Operation, value: RegisterValue): RegisterValue | undefined {
  if (answer.kind === 'read-as-one-of') return answer.isPossible(value) ? value : undefined;
  if (call.kind === 'read') return answer.kind === 'read' && answer.value === value ? value : undefined;
  const holds = call.condition === undefined || conditionHolds(call.condition, value);
  if (answer.kind === 'refused') {
    return !holds && (answer.current === undefined || answer.current === value) ? value : undefined;
  }
  if (!holds) return undefined;
  if (answer.kind === 'applied' && answer.old !== undefined && answer.old !== value) return undefined;
  return call.kind === 'put' ? call.value : null;
}

/** Whether a write under `condition` takes place on a register that holds `value`. */
export function conditionHolds(condition: RegisterCondition, value: RegisterValue): boolean {
  switch (condition.kind) {
    case 'equals':
      return value === condition.value;
    case 'exists':
      return value !== null;
    case 'absent':
      return value === null;
  }
}

function changesNothing({ answer }: Operation): boolean {
  return answer.kind === 'read' || answer.kind === 'read-as-one-of' || answer.kind === 'refused';
}

function isUnknownRead({ call, answer }: Operation): boolean {
  return call.kind === 'read' && answer.kind === 'unknown';
}

/** Remembers `configuration`; true if one that can do at least as much was visited before. */
function isDominated(visited: Map<string, (readonly number[])[]>, configuration: Configuration): boolean {
  const { at, value, early, spent } = configuration;
  const name = `${at} ${early.join()} ${value === null ? '' : `=${value}`}`;
  const known = visited.get(name);
  if (known === undefined) {
    visited.set(name, [spent]);
    return false;
  }
  if (known.some((fewer) => fewer.every((index) => spent.includes(index)))) return true;
  known.push(spent);
  return false;
}

function withMember(members: readonly number[], index: number): number[] {
  const position = members.findIndex((member) => member > index);
  return position < 0 ? [...members, index] : [...members.slice(0, position), index, ...members.slice(position)];
}
