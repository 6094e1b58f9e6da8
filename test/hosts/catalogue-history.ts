/** What a client may do to one table, and to items in it. */
export type Call =
  | { readonly kind: 'create' | 'delete' }
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'get'; readonly key: string };

/**
 * `done`, and of a get the value, `-` if there is none. `refused`: the table is there already, or is not there. `unknown`: it
 * may have happened, at any time since, or not.
 */
export type Answer = { readonly kind: 'done'; readonly value?: string } | { readonly kind: 'refused' | 'unknown' };

export interface Step {
  readonly client: string;
  readonly call: Call;
  readonly answer: Answer;
  /** By one clock. */
  readonly calledAt: number;
  readonly returnedAt: number;
}

/** Undefined: there is no table. Else its items. */
type State = Readonly<Record<string, string>> | undefined;

/** The states that a call may leave behind if it is answered so. Empty: it cannot be. */
function apply(state: State, { call, answer }: Step): readonly State[] {
  if (answer.kind === 'unknown') return [state, ...apply(state, { call, answer: { kind: 'done' } } as Step)];
  const isDone = answer.kind === 'done';
  switch (call.kind) {
    case 'create':
      if (isDone) return state === undefined ? [{}] : [];
      return state === undefined ? [] : [state];
    case 'delete':
      if (isDone) return state === undefined ? [] : [undefined];
      return state === undefined ? [state] : [];
    case 'put':
      if (state === undefined) return isDone ? [] : [state];
      return isDone ? [{ ...state, [call.key]: call.value }] : [];
    case 'get':
      if (state === undefined) return isDone ? [] : [state];
      return isDone && (answer.value ?? '-') === (state[call.key] ?? '-') ? [state] : [];
  }
}

/**
 * Whether one order of all steps, each at some moment between its call and its answer, explains every answer. There is no
 * table at the beginning.
 */
export function isExplained(history: readonly Step[]): boolean {
  const steps = [...history].sort((one, other) => one.calledAt - other.calledAt);
  const seen = new Set<string>();
  const walk = (left: readonly Step[], state: State): boolean => {
    if (left.every(({ answer }) => answer.kind === 'unknown')) return true;
    const place = `${left.map((step) => steps.indexOf(step)).join()} ${JSON.stringify(state && Object.entries(state).sort())}`;
    if (seen.has(place)) return false;
    seen.add(place);
    const firstReturn = Math.min(
      ...left.map(({ answer, returnedAt }) => (answer.kind === 'unknown' ? Number.POSITIVE_INFINITY : returnedAt)),
    );
    return left.some((step) => {
      if (step.calledAt > firstReturn) return false;
      const rest = left.filter((each) => each !== step);
      return apply(state, step).some((next) => walk(rest, next));
    });
  };
  return walk(steps, undefined);
}
