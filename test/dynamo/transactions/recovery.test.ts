import { describe, expect, test } from 'vitest';
import type { Mutation, TransactionChange, TransactionMutation } from '../../../src/api/mutation.ts';
import type { LookAnswer } from '../../../src/dynamo/coordination-messages.ts';
import { storeKeyOf } from '../../../src/dynamo/keyspace.ts';
import { DEFAULT_NODE_LIMITS, type NodeLimits } from '../../../src/dynamo/node-settings.ts';
import type { WriteAnswer } from '../../../src/dynamo/registers/handed-back.ts';
import {
  beginAttempt,
  decideAttempt,
  type LedgerEntry,
  ledgerEntryOf,
  ledgerKey,
} from '../../../src/dynamo/transactions/ledger.ts';
import type { StoreKey } from '../../../src/env/store.ts';
import { rangeOf, readOf, writeOf } from '../coordination-requests.ts';
import { image, KEY, put, STRICT, ThreeNodes } from '../three-nodes.ts';

const LEDGER = 'led';
const [ATTEMPT, OTHER] = ['a'.repeat(16), 'b'.repeat(16)];
const LEDGER_ROW: StoreKey = storeKeyOf(ledgerKey(LEDGER), 1);
const { opLifeMs } = DEFAULT_NODE_LIMITS;

/** A transaction on one item whose leader does only what a test says. */
class LeftAlone extends ThreeNodes {
  #entry: LedgerEntry;

  constructor(limits: Partial<NodeLimits> = {}) {
    super({ limits });
    const createdAtMs = this.clock.now();
    const state = 'PREPARING';
    this.#entry = { state, attempt: ATTEMPT, keys: [KEY], digest: undefined, createdAtMs, isSettled: false };
  }

  /** A write that any node coordinates; its timers need not run out. */
  change(mutation: Mutation | TransactionMutation, key = KEY, forMs = 400): WriteAnswer | undefined {
    const partitionKey = key === KEY ? 'user' : ledgerKey(LEDGER).partitionKey;
    const request = writeOf(key, mutation, { ...STRICT, partitionKey });
    const operation = this.start<WriteAnswer>((done) => this.node('A').coordinate(request, done));
    this.settle(forMs);
    return operation.result;
  }

  begin(): void {
    expect(this.change(beginAttempt(this.#entry, 1_000), LEDGER_ROW)?.kind).toBe('applied');
  }

  prepare(action: TransactionChange, attempt = ATTEMPT) {
    return this.change({ kind: 'prepare', ledger: LEDGER, attempt, action });
  }

  decide(state: 'COMMITTED' | 'ABORTED') {
    return this.change(decideAttempt(this.#entry, state), LEDGER_ROW);
  }

  look(): Extract<LookAnswer, { kind: 'looked' }> {
    const operation = this.start<LookAnswer>((done) =>
      this.node('B').coordinate(
        { kind: 'coordinate-look', requestId: undefined, key: KEY, derivation: undefined },
        done,
      ),
    );
    this.settle(400);
    expect(operation.result?.kind).toBe('looked');
    return operation.result as Extract<LookAnswer, { kind: 'looked' }>;
  }

  shown(from: 'latest' | 'committed' = 'latest') {
    const operation = this.start((done) => this.node('C').coordinate(readOf(KEY, from), done));
    this.settle(400);
    return operation.result;
  }

  entry() {
    const operation = this.start<{ kind: string }>((done) =>
      this.node('A').coordinate(readOf(LEDGER_ROW, 'latest'), done),
    );
    this.settle(400);
    const { result } = operation;
    return result?.kind === 'found' ? ledgerEntryOf((result as never as { item: never }).item) : undefined;
  }

  get isPending(): boolean {
    return (['A', 'B', 'C'] as const).some((name) => this.node(name).stateOf(KEY).committed?.isPending === true);
  }

  owed(name: 'A' | 'B' | 'C' = 'A'): number {
    return this.node(name).status().owed;
  }
}

const NONE = { kind: 'none' };
const found = (text: string) => ({ kind: 'found', item: image(text) });

describe('an item that a transaction has prepared', () => {
  test('is what it was until that is committed, and then what it becomes, though nobody has settled it', () => {
    const ring = new LeftAlone();
    ring.change(put('old'));
    ring.begin();
    expect(ring.prepare(put('new'))).toEqual({ kind: 'applied', old: image('old'), next: image('new') });
    expect([ring.isPending, ring.owed()]).toEqual([true, 1]);
    expect(ring.shown()).toEqual(found('old'));
    const before = ring.look();
    expect(before).toMatchObject({ item: image('old'), isHeld: true });
    ring.decide('COMMITTED');
    expect(ring.shown()).toEqual(found('new'));
    expect(ring.shown('committed')).toEqual(found('old'));
    const after = ring.look();
    expect(after).toMatchObject({ item: image('new'), isHeld: false });
    expect(after.version).not.toBe(before.version);
    const range = ring.start((done) =>
      ring.node('B').coordinate(rangeOf({ from: KEY, to: `${KEY}\x01` }, 'latest'), done),
    );
    ring.settle(400);
    expect(range.result).toEqual({ kind: 'items', items: [image('new')], more: false });
    expect(ring.isPending).toBe(true);
  });

  test('that it creates or deletes is there, or not, by the same rule', () => {
    const ring = new LeftAlone();
    ring.begin();
    ring.prepare({ ...put('new'), condition: { kind: 'not-exists', path: ['v'] } });
    expect(ring.shown()).toEqual(NONE);
    ring.decide('COMMITTED');
    expect(ring.shown()).toEqual(found('new'));
    expect(ring.change({ kind: 'settle', attempt: ATTEMPT, isCommitted: true })?.kind).toBe('applied');
    expect([ring.isPending, ring.owed(), ring.shown('committed')]).toEqual([false, 0, found('new')]);
  });

  test('is in conflict with writes, and with other transactions, as long as that may be committed', () => {
    const ring = new LeftAlone();
    ring.change(put('old'));
    ring.begin();
    ring.prepare(put('new'));
    expect(ring.change(put('other'))).toEqual({ kind: 'conflict' });
    expect(ring.prepare(put('other'), OTHER)).toEqual({ kind: 'conflict' });
    expect(ring.shown()).toEqual(found('old'));
    ring.decide('COMMITTED');
    // The next write settles it first.
    expect(ring.change(put('other'))).toEqual({ kind: 'applied', old: image('new'), next: image('other') });
    expect(ring.shown()).toEqual(found('other'));
  });

  test('is free again when its transaction has taken too long, and that cannot be committed any more', () => {
    const ring = new LeftAlone();
    ring.change(put('old'));
    ring.begin();
    ring.prepare(put('new'));
    ring.settle(opLifeMs);
    expect(ring.change(put('other'))).toEqual({ kind: 'applied', old: image('old'), next: image('other') });
    expect(ring.decide('COMMITTED')?.kind).toBe('condition-failed');
    expect(ring.entry()?.state).toBe('ABORTED');
    expect(ring.shown()).toEqual(found('other'));
  });

  test('stays what it was if the ledger knows nothing of its transaction', () => {
    const ring = new LeftAlone();
    ring.change(put('old'));
    ring.prepare(put('new'));
    expect(ring.look()).toMatchObject({ item: image('old'), isHeld: false });
    expect(ring.change(put('other'))).toEqual({ kind: 'applied', old: image('old'), next: image('other') });
  });

  test('that is only checked keeps writes away, and stays as it is', () => {
    const ring = new LeftAlone();
    ring.change(put('old'));
    ring.begin();
    ring.prepare({ kind: 'check', condition: { kind: 'exists', path: ['v'] } });
    expect(ring.change(put('other'))).toEqual({ kind: 'conflict' });
    ring.decide('COMMITTED');
    expect(ring.shown()).toEqual(found('old'));
    expect(ring.change(put('other'))).toEqual({ kind: 'applied', old: image('old'), next: image('other') });
  });
});

describe('without anybody who asks for it', () => {
  const inBackground = (ring: LeftAlone, forMs: number) => {
    for (const name of ['A', 'B', 'C'] as const) ring.node(name).startBackground();
    ring.settle(forMs);
  };

  test('a transaction that was left is aborted, its items are free, and it is forgotten', () => {
    const ring = new LeftAlone({ messageLifeMs: 1_000 });
    ring.begin();
    ring.prepare(put('new'));
    inBackground(ring, opLifeMs + 3_000);
    expect([ring.isPending, ring.owed('A'), ring.owed('B'), ring.owed('C')]).toEqual([false, 0, 0, 0]);
    ring.settle(2 * opLifeMs + 5_000);
    expect([ring.entry(), ring.shown()]).toEqual([undefined, NONE]);
  });

  test('one that was committed is settled, also by nodes that were started again', () => {
    const ring = new LeftAlone();
    ring.begin();
    ring.prepare(put('new'));
    ring.decide('COMMITTED');
    for (const name of ['A', 'B', 'C'] as const) ring.restart(name);
    ring.settle(400);
    inBackground(ring, 3_000);
    expect([ring.isPending, ring.owed(), ring.shown('committed')]).toEqual([false, 0, found('new')]);
    ring.settle(opLifeMs + 5_000);
    expect(ring.entry()).toBeUndefined();
  });

  test('the tombstone of an item that is about to be created is not purged', () => {
    const ring = new LeftAlone({ tombstoneGraceMs: 1_000, hintLifeMs: 500 });
    ring.begin();
    ring.prepare(put('new'));
    ring.decide('COMMITTED');
    ring.settle(5_000);
    let report: unknown;
    ring.node('A').purgeTombstones((done) => {
      report = done;
    });
    ring.settle(70_000);
    expect(report).toMatchObject({ purged: 0 });
    expect(ring.isPending).toBe(true);
    expect(ring.shown()).toEqual(found('new'));
  });
});
