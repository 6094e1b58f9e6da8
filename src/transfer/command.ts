import { runExport } from './export-command.ts';
import { Interrupted, TransferError } from './failure.ts';
import { runImport } from './import-command.ts';
import { realWorld } from './world.ts';

const STATUS_DONE = 0;
/** The server's exit status when it cannot start. */
const STATUS_REFUSED = 1;
/** A bug of ours: `EX_SOFTWARE` of sysexits(3), as for the server. */
const STATUS_BUG = 70;
/** The status that shells report for a program ended by SIGINT. */
const STATUS_INTERRUPTED = 130;

/** The subcommands that move tables. */
export type TransferName = 'import' | 'export';

/**
 * Runs `dynaring import` or `dynaring export` to its end. Any failure is one line on standard error.
 * @returns the exit status
 */
export async function runTransfer(name: TransferName, argv: readonly string[]): Promise<number> {
  const world = realWorld(STATUS_INTERRUPTED);
  try {
    await (name === 'import' ? runImport : runExport)(argv, world);
    return STATUS_DONE;
  } catch (error) {
    if (!(error instanceof TransferError || error instanceof Interrupted)) {
      world.screen.write(`dynaring: ${error instanceof Error ? error.stack : error}\n`);
      return STATUS_BUG;
    }
    world.screen.write(`dynaring: ${error.message.replaceAll(/\s*[\r\n]+\s*/g, ' ')}\n`);
    return error instanceof Interrupted ? STATUS_INTERRUPTED : STATUS_REFUSED;
  }
}
