/**
 * Looks for an order of operations that explains their answers: each takes effect at one instant between its call and its
 * return (Herlihy and Wing 1990).
 *
 * The search is Lowe's just-in-time form of Wing and Gong's ("Testing for linearizability", 2017): it walks the returns
 * in order of time and lets operations take effect only when the next return needs it, with every configuration visited
 * once. Three facts keep it small, and make histories of thousands of operations on a register practical:
 * - An operation that changes nothing whatever the state is (a read, a refused condition) takes effect as soon as its
 *   answer is right: nothing is lost by not waiting.
 * - A configuration with fewer unknown operations spent can do all that one with more of them can, so the latter is
 *   dropped.
 * - An unknown operation is let take effect only where that changes the state.
 */

export interface TimedCall {
  /** Any clock that never steps back; operations that share an instant count as concurrent. */
  readonly calledAt: number;
  /** Not looked at where the answer is unknown. */
  readonly returnedAt: number;
}

/** What operations do to what they are on. */
export interface Model<Call extends TimedCall, State> {
  readonly initial: State;
  /** Two states with one name are the same. */
  nameOf(state: State): string;
  /**
   * The state after an operation takes effect on `state`, or undefined where its answer would have been another one. Of one
   * whose answer is not known only its conditions count.
   */
  effect(call: Call, state: State): State | undefined;
  /** Whether the answer is not known: it may take effect at any time after the call, or never. */
  isUnknown(call: Call): boolean;
  /** Whether it changes nothing whatever the state is. */
  changesNothing(call: Call): boolean;
}

export type OrderFound<Call, State> =
  | { readonly kind: 'found' }
  /** No order explains `operation` and all that returned before it; `possible` is what the state could have been. */
  | { readonly kind: 'none'; readonly operation: Call; readonly possible: readonly State[] }
  /** `maxConfigurations` were not enough to tell. */
  | { readonly kind: 'undecided' };

/** A point of the search: which operations have taken effect before the return number `at`, and what they left. */
interface Configuration<State> {
  readonly at: number;
  readonly state: State;
  /** Ascending indexes of operations that have taken effect and not returned yet; never of unknown ones. */
  readonly early: readonly number[];
  /** Ascending indexes of unknown operations that have taken effect. */
  readonly spent: readonly number[];
}

/** @param history without operations that are known not to have taken effect, and unknown ones that change nothing */
export function findOrder<Call extends TimedCall, State>(
  history: readonly Call[],
  model: Model<Call, State>,
  maxConfigurations: number,
): OrderFound<Call, State> {
  const operations = [...history].sort((a, b) => a.calledAt - b.calledAt);
  const returns = operations
    .map((_, index) => index)
    .filter((index) => !model.isUnknown(operations[index]!))
    .sort((a, b) => operations[a]!.returnedAt - operations[b]!.returnedAt);
  const open = returns.map((_, at) => openOperations(operations, returns, { at, model }));
  const visited = new Map<string, (readonly number[])[]>();
  const frontier = new Frontier<State>();
  frontier.push({ at: 0, state: model.initial, early: [], spent: [] });
  let farthest = -1;
  let possible: State[] = [];
  for (let count = 0; count < maxConfigurations; ) {
    const current = frontier.pop();
    if (current === undefined) return { kind: 'none', operation: operations[returns[farthest]!]!, possible };
    if (current.at === returns.length) return { kind: 'found' };
    if (isDominated(visited, current, model)) continue;
    count++;
    if (current.at > farthest) {
      farthest = current.at;
      possible = [];
    }
    const name = model.nameOf(current.state);
    if (current.at === farthest && !possible.some((state) => model.nameOf(state) === name))
      possible.push(current.state);
    pushSuccessors(frontier, current, { operations, model, next: returns[current.at]!, open: open[current.at]! });
  }
  return { kind: 'undecided' };
}

/**
 * The configurations still to visit. First the one that got farthest, so that a good history is walked straight to its
 * end; among those the one with the fewest unknown operations spent, so that it dominates those that come after it; and
 * among those the latest.
 */
class Frontier<State> {
  /** By `at`, then by the length of `spent`. */
  readonly #levels: Configuration<State>[][][] = [];

  push(configuration: Configuration<State>): void {
    const { at, spent } = configuration;
    while (this.#levels.length <= at) this.#levels.push([]);
    const level = this.#levels[at]!;
    while (level.length <= spent.length) level.push([]);
    level[spent.length]!.push(configuration);
  }

  pop(): Configuration<State> | undefined {
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
function openOperations<Call extends TimedCall, State>(
  operations: readonly Call[],
  returns: readonly number[],
  { at, model }: { readonly at: number; readonly model: Model<Call, State> },
): number[] {
  const instant = operations[returns[at]!]!.returnedAt;
  const open = returns.slice(at).filter((index) => operations[index]!.calledAt <= instant);
  for (const [index, operation] of operations.entries()) {
    if (model.isUnknown(operation) && operation.calledAt <= instant) open.push(index);
  }
  return open;
}

interface Step<Call extends TimedCall, State> {
  readonly operations: readonly Call[];
  readonly model: Model<Call, State>;
  readonly next: number;
  readonly open: readonly number[];
}

/** Pushes the likeliest successor last, so that it is tried first. */
function pushSuccessors<Call extends TimedCall, State>(
  frontier: Frontier<State>,
  current: Configuration<State>,
  { operations, model, next, open }: Step<Call, State>,
): void {
  const { at, state, spent } = current;
  let early = current.early;
  if (early.includes(next)) {
    frontier.push({ at: at + 1, state, early: early.filter((index) => index !== next), spent });
    return;
  }
  const waiting = open.filter((index) => !early.includes(index) && !spent.includes(index));
  for (const index of waiting) {
    const operation = operations[index]!;
    if (model.changesNothing(operation) && model.effect(operation, state) !== undefined) {
      early = withMember(early, index);
    }
  }
  if (early !== current.early) {
    frontier.push({ at, state, early, spent });
    return;
  }
  const name = model.nameOf(state);
  for (const index of waiting) {
    const operation = operations[index]!;
    const after = model.effect(operation, state);
    if (after === undefined || index === next) continue;
    if (!model.isUnknown(operation)) frontier.push({ at, state: after, early: withMember(early, index), spent });
    else if (model.nameOf(after) !== name) {
      frontier.push({ at, state: after, early, spent: withMember(spent, index) });
    }
  }
  const after = model.effect(operations[next]!, state);
  if (after !== undefined) frontier.push({ at: at + 1, state: after, early, spent });
}

/** Remembers `configuration`; true if one that can do at least as much was visited before. */
function isDominated<Call extends TimedCall, State>(
  visited: Map<string, (readonly number[])[]>,
  { at, state, early, spent }: Configuration<State>,
  model: Model<Call, State>,
): boolean {
  const name = `${at} ${early.join()} ${model.nameOf(state)}`;
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
