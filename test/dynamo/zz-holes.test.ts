import { expect, test } from 'vitest';
import { EpochRing, keyOf, recordOf } from '/work/main/test/dynamo/epoch-ring.ts';
const NOW = 100_000_000 * 16; // see TICKS
import { TICKS_PER_MS } from '/work/main/src/dynamo/ballot.ts';
const at = (ms: number) => (100_000_000 + ms) * TICKS_PER_MS;
test('basic', () => {
  const ring = new EpochRing('ABCD', 3);
  ring.commit('AB', 'x', recordOf('x', at(0)));
  ring.accept('AB', 'y', recordOf('y', at(1)));
  console.log(ring.change('A', 'ABD'), ring.read('D', 'x'), ring.read('D', 'y'));
  expect(ring.read('D', 'y')).toBe('y');
});
test('crash in begin (6)', () => {
  const bad: string[] = [];
  for (let survivors = 0; survivors < 12; survivors++) {
    const ring = new EpochRing('ABCD', 3);
    ring.accept('AB', 'y1', recordOf('y1', at(1)));
    ring.accept('AB', 'y2', recordOf('y2', at(1)));
    ring.isLost = (s) => s.kind === 'activate' || (s.request.kind==='stage' && s.to==='C');
    ring.change('A', 'ABC');
    ring.isLost = () => false;
    // B crashes within its begin
    const store = ring.store('B'); const flush = store.flush; 
    store.flush = () => {}; 
    ring.ask('B', { kind: 'activate', config: ring.decided });
    ring.kill('B', survivors); store.flush = flush; ring.start('B');
    ring.ask('B', { kind: 'activate', config: ring.decided }); ring.ask('C', { kind: 'activate', config: ring.decided });
    ring.settle();
    ring.isLost = (s) => s.from === 'A' || s.to === 'A';
    const r = [ring.read('B', 'y1'), ring.read('B', 'y2')];
    if (r[0] !== 'y1' || r[1] !== 'y2') bad.push(`${survivors}: ${r}`);
  }
  expect(bad).toEqual([]);
});
test('late activate of older epoch (7)', () => {
  const ring = new EpochRing('ABCDEF', 3);
  ring.commit('AB', 'x', recordOf('x', at(0)));
  ring.accept('AB', 'y', recordOf('y', at(1)));
  const zero = ring.decided;
  ring.change('A', 'ABD'); const one = ring.decided;
  ring.isLost = (s) => s.kind === 'activate' || (s.request.kind === 'stage' && s.to === 'D');
  ring.change('A', 'DEF'); 
  expect(ring.decided.epoch).toBe(2);
  ring.isLost = () => false;
  ring.ask('E', { kind: 'activate', config: one }); ring.ask('F', { kind: 'activate', config: one }); ring.settle();
  for (const id of 'EFD') ring.ask(id, { kind: 'activate', config: ring.decided });
  ring.isLost = (s) => 'AB'.includes(s.from) || 'AB'.includes(s.to);
  ring.settle();
  expect([ring.read('E', 'x'), ring.read('E', 'y')]).toEqual(['x','y']);
});
test('old tombstones (1)', () => {
  const ring = new EpochRing('ABCDEF', 3);
  const old = at(-2 * 3_600_000);
  ring.commit('BC', 'x', recordOf('x', old - 10));
  ring.commit('A', 'x', recordOf(undefined, old)); // deleted at A and C long ago; C down; B never heard
  ring.commit('C', 'x', recordOf(undefined, old));
  ring.isLost = (s) => (s.to === 'C' || s.from === 'C') ;
  console.log(ring.change('A', 'DEF'));
  expect(ring.read('D', 'x')).toBe(undefined);
});
test('old tombstones over accepted (2)', () => {
  const ring = new EpochRing('ABCDEF', 3);
  const old = at(-2 * 3_600_000);
  ring.accept('B', 'x', recordOf('x', old - 10));
  ring.commit('AC', 'x', recordOf(undefined, old));
  ring.isLost = (s) => (s.to === 'C' || s.from === 'C') ;
  console.log(ring.change('A', 'DEF'));
  expect(ring.read('D', 'x')).toBe(undefined);
});
test('disk refuses while staging (9)', () => {
  const ring = new EpochRing('ABCDEF', 3);
  ring.commit('AB', 'x', recordOf('x', at(0)));
  for (const id of 'DEF') { const st = ring.store(id); }
  let failed = new Set<string>();
  // D,E: after pull from first source, disk refuses
  ring.isLost = (s) => {
    if (s.request.kind === 'sealed-records' && s.kind==='sealed-records' && 'DEF'.includes(s.to) && s.from==='B' && !failed.has(s.to)) { failed.add(s.to); ring.store(s.to).fail(new Error('full')); }
    return s.from === 'C' || s.to === 'C' || s.kind === 'copied' || (s.kind==='copy');
  };
  console.log(ring.change('A', 'DEF'), failed);
  ring.isLost = (s) => 'ABC'.includes(s.from) || 'ABC'.includes(s.to);
  if (ring.decided.epoch === 1) expect(ring.read('D', 'x')).toBe('x');
});
test('wiped between (4)', () => {
  const ring = new EpochRing('ABCDE', 3);
  const members = ring.members('ADE');
  ring.wipe('D');
  const led = ring.lead('A', members); ring.settle();
  console.log(JSON.stringify(led.outcome), ring.sent.filter((s) => s.kind === 'staged').map((s) => s.from));
  expect(ring.sent.filter((s) => s.kind === 'staged').map((s) => s.from)).not.toContain('D');
});
test('not yet active member pushes purged (16)', () => {
  const ring = new EpochRing('ABCD', 4);
});
