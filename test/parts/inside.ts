import { strict as assert } from 'node:assert';
import { LocalRing } from '../../src/host/local-ring.ts';
import type { Dynaring } from '../../src/index.ts';

/** A server of this process whose ring shows what `Ring` does not promise to users: its client, its rules of lag. */
export type InsideDynaring = Dynaring & { readonly ring: LocalRing };

export function insideOf(dynaring: Dynaring): InsideDynaring {
  assert(dynaring.ring instanceof LocalRing);
  return dynaring as InsideDynaring;
}
