/** An operation on one table, in which there is one item, and what came of it. */
export interface TableOperation {
  readonly call: 'create' | 'delete' | 'put' | 'get';
  /** What a put puts. */
  readonly value: string | undefined;
  readonly calledAt: number;
  readonly returnedAt: number;
  /** `done`, or the name of the error. */
  readonly answer: string;
  /** What a get has found. */
  readonly found: string | undefined;
}

/** There is no table; or there is one, with an item of this value or without one. */
type State = { readonly value: string | undefined } | 'no table';

/**
 * Whether a history is linearizable: whether each operation can be given an instant between its call and its return, so that
 * all answers are those of one table that comes and goes. Searched by Wing and Gong's method; histories are short.
 */
export function isTableHistory(operations: readonly TableOperation[]): boolean {
  const all = [...operations].sort((a, b) => a.calledAt - b.calledAt);
  const seen = new Set<string>();
  const search = (left: readonly TableOperation[], state: State): boolean => {
    if (left.length === 0) return true;
    const name = `${left.map(({ calledAt }) => calledAt).join()} ${JSON.stringify(state)}`;
    if (seen.has(name)) return false;
    seen.add(name);
    const firstReturn = Math.min(...left.map(({ returnedAt }) => returnedAt));
    return left.some((operation) => {
      if (operation.calledAt > firstReturn) return false;
      const rest = left.filter((other) => other !== operation);
      return statesAfter(operation, state).some((next) => search(rest, next));
    });
  };
  return search(all, 'no table');
}

/** What the table may be after an operation with this answer; none if the answer is wrong. */
function statesAfter({ call, value, answer, found }: TableOperation, state: State): readonly State[] {
  const after = applied(call, value, state);
  switch (answer) {
    case 'done':
      if (after === undefined) return [];
      return call === 'get' && (state === 'no table' || state.value !== found) ? [] : [after];
    case 'ResourceNotFoundException':
      return state === 'no table' ? [state] : [];
    case 'ResourceInUseException':
      return state === 'no table' ? [] : [state];
    case 'InternalServerError':
      return after === undefined ? [state] : [state, after];
    default:
      // It has done nothing.
      return [state];
  }
}

/** @returns undefined if it is not possible */
function applied(call: TableOperation['call'], value: string | undefined, state: State): State | undefined {
  if (call === 'create') return state === 'no table' ? { value: undefined } : undefined;
  if (state === 'no table') return undefined;
  if (call === 'delete') return 'no table';
  return call === 'put' ? { value } : state;
}
