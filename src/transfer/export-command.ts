import { TransferError } from './failure.ts';
import type { World } from './world.ts';

/** `dynaring export`. */
export async function runExport(_argv: readonly string[], _world: World): Promise<void> {
  throw new TransferError('not yet');
}
