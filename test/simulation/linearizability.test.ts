import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkLinearizability,
  conditionHolds,
  type Operation,
  type RegisterAnswer,
  type RegisterCall,
  type RegisterValue,
} from './linearizability.ts';

const UNKNOWN: RegisterAnswer = { kind: 'unknown' };
const APPLIED: RegisterAnswer = { kind: 'applied' };

function put(calledAt: number, returnedAt: number, value: string, answer: RegisterAnswer = APPLIED): Operation {
  return { key: 'k', calledAt, returnedAt, call: { kind: 'put', value }, answer };
}

function remove(calledAt: number, returnedAt: number, answer: RegisterAnswer = APPLIED): Operation {
  return { key: 'k', calledAt, returnedAt, call: { kind: 'delete' }, answer };
}

function read(calledAt: number, returnedAt: number, value: RegisterValue): Operation {
  return { key: 'k', calledAt, returnedAt, call: { kind: 'read' }, answer: { kind: 'read', value } };
}

/** A query that has not shown the item, and would have if it were one of `shown`. */
function notShown(calledAt: number, returnedAt: number, shown: readonly RegisterValue[]): Operation {
  const isPossible = (value: RegisterValue) => !shown.includes(value);
  return { key: 'k', calledAt, returnedAt, call: { kind: 'read' }, answer: { kind: 'read-as-one-of', isPossible } };
}

function swap(calledAt: number, returnedAt: number, from: string, to: string, answer: RegisterAnswer): Operation {
  const call: RegisterCall = { kind: 'put', value: to, condition: { kind: 'equals', value: from } };
  return { key: 'k', calledAt, returnedAt, call, answer };
}

const linearizable: Record<string, Operation[]> = {
  'no operation': [],
  'a read of nothing before any write': [read(1, 2, null)],
  'a read during a put, before or after it': [put(1, 9, 'a'), read(2, 3, null), read(4, 5, 'a')],
  'an unknown put that is seen late': [put(1, 2, 'a', UNKNOWN), read(3, 4, null), read(5, 6, 'a')],
  'an unknown put that is never seen': [put(1, 2, 'a', UNKNOWN), read(3, 4, null), read(5, 6, null)],
  'an unknown put between two known ones': [put(1, 2, 'a'), put(3, 4, 'x', UNKNOWN), put(5, 6, 'b'), read(7, 8, 'x')],
  'an unknown delete that explains a missing item': [put(1, 2, 'a'), remove(3, 4, UNKNOWN), read(5, 6, null)],
  'concurrent puts that both return the value before': [
    put(1, 9, 'a', { kind: 'applied', old: null }),
    put(1, 9, 'b', { kind: 'applied', old: 'a' }),
    read(10, 11, 'b'),
  ],
  'a condition refused, with the value that refused it': [
    put(1, 2, 'a'),
    swap(3, 4, 'x', 'y', { kind: 'refused', current: 'a' }),
    read(5, 6, 'a'),
  ],
  'an unknown conditional put that takes effect once its condition holds': [
    put(1, 2, 'a'),
    swap(3, 4, 'b', 'c', UNKNOWN),
    put(5, 6, 'b'),
    read(7, 8, 'c'),
  ],
  'operations at one instant count as concurrent': [put(1, 5, 'a'), read(5, 6, null)],
  'a query that does not show what is outside its range': [put(1, 2, 'a'), notShown(3, 4, ['b'])],
  'a query that runs while the item leaves its range': [put(1, 2, 'a'), put(3, 9, 'b'), notShown(4, 5, ['a'])],
  'an operation that was not applied is left out': [put(1, 2, 'a', { kind: 'not-applied' }), read(3, 4, null)],
};

const notLinearizable: Record<string, Operation[]> = {
  'a read of nothing after a completed put': [put(1, 2, 'a'), read(3, 4, null)],
  'a read of a value that nobody wrote': [read(1, 2, 'a')],
  'a read of a value before its put was called': [read(1, 2, 'a'), put(3, 4, 'a')],
  'two reads that see two puts in different orders': [
    put(1, 20, 'a'),
    put(1, 20, 'b'),
    read(2, 3, 'a'),
    read(4, 5, 'b'),
    read(6, 7, 'a'),
  ],
  'a value that steps back after an unknown put was seen': [put(1, 2, 'a', UNKNOWN), read(3, 4, 'a'), read(5, 6, null)],
  'an unknown put that takes effect twice': [
    put(1, 2, 'a', UNKNOWN),
    read(3, 4, 'a'),
    put(5, 6, 'b'),
    read(7, 8, 'b'),
    read(9, 10, 'a'),
  ],
  'two conditional puts that both won from one value': [
    put(1, 2, 'a'),
    swap(3, 9, 'a', 'b', APPLIED),
    swap(3, 9, 'a', 'c', APPLIED),
  ],
  'a put that answers with an old value from before its call': [
    put(1, 2, 'a'),
    put(3, 4, 'b'),
    put(5, 6, 'c', { kind: 'applied', old: 'a' }),
  ],
  'a delete that answers with nothing where there was an item': [
    put(1, 2, 'a'),
    remove(3, 4, { kind: 'applied', old: null }),
  ],
  'a condition refused although it held throughout': [put(1, 2, 'a'), swap(3, 4, 'a', 'b', { kind: 'refused' })],
  'a condition refused with a value that the register did not hold': [
    put(1, 2, 'a'),
    put(3, 4, 'b'),
    swap(5, 6, 'x', 'y', { kind: 'refused', current: 'a' }),
  ],
  'a query that does not show what is in its range': [put(1, 2, 'a'), notShown(3, 4, ['a', 'b'])],
  'an item that is not shown, although it was in the range before and after': [
    put(1, 2, 'a'),
    put(3, 9, 'b'),
    notShown(4, 5, ['a', 'b']),
  ],
  'an operation that was not applied but is seen': [put(1, 2, 'a', { kind: 'not-applied' }), read(3, 4, 'a')],
};

describe('a history that a plain variable could have given', () => {
  for (const [situation, history] of Object.entries(linearizable)) {
    test(`passes: ${situation}`, () => {
      expect(checkLinearizability(history)).toEqual({ kind: 'linearizable' });
    });
  }
});

describe('a history that no plain variable could have given', () => {
  for (const [situation, history] of Object.entries(notLinearizable)) {
    test(`fails: ${situation}`, () => {
      expect(checkLinearizability(history).kind).toBe('violation');
    });
  }

  test('is found on the one key that has it, with the operation and what was possible instead', () => {
    const wrong = { ...read(3, 4, null), key: 'bad' };
    const history = [put(1, 2, 'a'), { ...put(1, 2, 'b'), key: 'bad' }, read(3, 4, 'a'), wrong];
    expect(checkLinearizability(history)).toEqual({ kind: 'violation', operation: wrong, possible: ['b'] });
  });
});

/** What a generated client does, and when within its own time; `lost` makes its outcome unknown. */
const plannedCall = fc.record({
  kind: fc.constantFrom('put', 'put', 'delete', 'swap', 'swap', 'create', 'read', 'read'),
  asksOld: fc.boolean(),
  guess: fc.nat({ max: 3 }),
  idle: fc.integer({ min: 1, max: 20 }),
  before: fc.integer({ min: 1, max: 20 }),
  after: fc.integer({ min: 1, max: 20 }),
  lost: fc.constantFrom('no', 'no', 'no', 'no', 'takes effect late', 'never takes effect'),
});
const plan = (clients: number, operations: number) =>
  fc.array(fc.array(plannedCall, { maxLength: operations }), { minLength: 1, maxLength: clients });

type PlannedCall = typeof plannedCall extends fc.Arbitrary<infer Call> ? Call : never;

/** Runs the plan against a real variable: every operation takes effect at one instant between its call and its return. */
function runOnVariable(clients: PlannedCall[][]): Operation[] {
  const instants: { effectAt: number; calledAt: number; returnedAt: number; planned: PlannedCall; name: string }[] = [];
  for (const [client, calls] of clients.entries()) {
    let now = client / 100;
    for (const [number, planned] of calls.entries()) {
      const calledAt = now + planned.idle;
      const effectAt = calledAt + planned.before + (planned.lost === 'takes effect late' ? 60 : 0);
      const returnedAt = calledAt + planned.before + planned.after;
      instants.push({ effectAt, calledAt, returnedAt, planned, name: `${client}.${number}` });
      now = returnedAt;
    }
  }
  instants.sort((a, b) => a.effectAt - b.effectAt);
  let value: RegisterValue = null;
  const recent: string[] = ['none'];
  return instants.map(({ calledAt, returnedAt, planned, name }) => {
    const call = callOf(planned, name, recent);
    const holds = call.kind === 'read' || call.condition === undefined || conditionHolds(call.condition, value);
    const old = value;
    let answer: RegisterAnswer;
    if (call.kind === 'read') answer = { kind: 'read', value };
    else if (!holds) answer = planned.asksOld ? { kind: 'refused', current: old } : { kind: 'refused' };
    else answer = planned.asksOld ? { kind: 'applied', old } : { kind: 'applied' };
    if (planned.lost !== 'no') answer = UNKNOWN;
    if (call.kind !== 'read' && holds && planned.lost !== 'never takes effect') {
      value = call.kind === 'put' ? call.value : null;
      if (value !== null) recent.unshift(value);
    }
    return { key: 'k', calledAt, returnedAt, call, answer };
  });
}

function callOf({ kind, guess }: PlannedCall, name: string, recent: string[]): RegisterCall {
  switch (kind) {
    case 'put':
      return { kind: 'put', value: name };
    case 'delete':
      return { kind: 'delete' };
    case 'swap': {
      const value = recent[guess % recent.length]!;
      return { kind: 'put', value: name, condition: { kind: 'equals', value } };
    }
    case 'create':
      return { kind: 'put', value: name, condition: { kind: 'absent' } };
    default:
      return { kind: 'read' };
  }
}

/** The obvious checker: tries every order. Only for a handful of operations. */
function isLinearizableByBruteForce(history: Operation[], value: RegisterValue = null): boolean {
  if (history.every(({ answer }) => answer.kind === 'unknown')) return true;
  return history.some((first, index) => {
    const rest = history.filter((_, other) => other !== index);
    const known = rest.filter(({ answer }) => answer.kind !== 'unknown');
    if (known.some(({ returnedAt }) => returnedAt < first.calledAt)) return false;
    const { call, answer } = first;
    const holds = call.kind === 'read' || call.condition === undefined || conditionHolds(call.condition, value);
    if (answer.kind === 'read' && answer.value !== value) return false;
    if ((answer.kind === 'applied') !== holds && answer.kind !== 'read' && answer.kind !== 'unknown') return false;
    if (answer.kind === 'applied' && answer.old !== undefined && answer.old !== value) return false;
    if (answer.kind === 'refused' && answer.current !== undefined && answer.current !== value) return false;
    const next = call.kind === 'read' || !holds ? value : call.kind === 'put' ? call.value : null;
    return isLinearizableByBruteForce(rest, next);
  });
}

/** Every value that occurs in the history, and one that does not. */
function valuesOf(history: Operation[]): RegisterValue[] {
  const written = history.flatMap(({ call }) => (call.kind === 'put' ? [call.value] : []));
  return [null, 'stranger', ...written];
}

function withAnswer(history: Operation[], index: number, value: RegisterValue): Operation[] {
  return history.map((operation, at) => {
    if (at !== index) return operation;
    const { answer } = operation;
    if (answer.kind === 'read') return { ...operation, answer: { kind: 'read', value } };
    if (answer.kind === 'applied') return { ...operation, answer: { kind: 'applied', old: value } };
    if (answer.kind === 'refused') return { ...operation, answer: { kind: 'refused', current: value } };
    return operation;
  });
}

describe('generated histories', () => {
  test('always pass when they come from a real variable', () => {
    fc.assert(
      fc.property(plan(6, 12), (clients) => {
        expect(checkLinearizability(runOnVariable(clients))).toEqual({ kind: 'linearizable' });
      }),
      { numRuns: 500 },
    );
  });

  test('fail when one answer shows a value that nobody wrote', () => {
    fc.assert(
      fc.property(plan(5, 8), fc.nat(), (clients, pick) => {
        const history = runOnVariable(clients);
        const answered = history.flatMap(({ answer }, index) => (answer.kind === 'unknown' ? [] : [index]));
        fc.pre(answered.length > 0);
        const corrupted = withAnswer(history, answered[pick % answered.length]!, 'stranger');
        expect(checkLinearizability(corrupted).kind).toBe('violation');
      }),
      { numRuns: 500 },
    );
  });

  test('get the verdict of trying every order, also when an answer is changed at random', () => {
    let violations = 0;
    fc.assert(
      fc.property(plan(3, 2), fc.nat(), fc.nat(), (clients, pickOperation, pickValue) => {
        const history = runOnVariable(clients);
        fc.pre(history.length > 0);
        const values = valuesOf(history);
        const changed = withAnswer(history, pickOperation % history.length, values[pickValue % values.length]!);
        const verdict = checkLinearizability(changed).kind;
        expect(verdict === 'linearizable').toBe(isLinearizableByBruteForce(changed));
        if (verdict === 'violation') violations++;
      }),
      { numRuns: 3000, seed: 7 },
    );
    expect(violations).toBeGreaterThan(500);
  });
});

/** `rounds` times: `clients` clients overlap completely, the last one writing over a value that the first one wrote. */
function longHistory(rounds: number, clients: number): Operation[] {
  const history: Operation[] = [];
  let value: RegisterValue = null;
  for (let round = 0; round < rounds; round++) {
    const calledAt = round * 100;
    for (let client = 0; client < clients; client++) {
      const next = `${round}.${client}`;
      const answer: RegisterAnswer = client % 3 === 2 ? APPLIED : { kind: 'applied', old: value };
      history.push(put(calledAt + client, calledAt + 50 + ((client * 7) % clients), next, answer));
      value = next;
    }
    if (round % 10 === 9) history.push(put(calledAt + 60, 0, `lost ${round}`, UNKNOWN));
    history.push(read(calledAt + 70, calledAt + 80, value));
  }
  return history;
}

describe('a history of thousands of operations on one key', () => {
  test('is accepted with eight clients and dozens of unknown outcomes', () => {
    const history = longHistory(300, 8);
    expect(history.length).toBeGreaterThan(2500);
    expect(checkLinearizability(history)).toEqual({ kind: 'linearizable' });
  });

  test('is refused when its last read steps back by one round', () => {
    const history = longHistory(300, 5);
    history.push(read(40_000, 40_001, '298.4'));
    expect(checkLinearizability(history).kind).toBe('violation');
  });

  test('is reported as undecided rather than as good when the search is cut short', () => {
    expect(checkLinearizability(longHistory(20, 5), 10)).toEqual({ kind: 'undecided', key: 'k' });
  });
});
