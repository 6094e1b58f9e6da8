import { isRefusal } from '../config/config-error.ts';
import { inspect } from './inspect.ts';
import { inspectHelp, parseInspect } from './inspect-options.ts';
import { inspectionText } from './inspection-text.ts';

const STATUS_DONE = 0;
/** The server's exit status when it cannot start. */
const STATUS_REFUSED = 1;

/** Where the command writes. */
export interface InspectOutput {
  print(text: string): void;
  printError(line: string): void;
}

/**
 * Runs `dynaring inspect` to its end.
 *
 * @returns the exit status
 */
export async function runInspect(argv: readonly string[], output: InspectOutput): Promise<number> {
  try {
    const options = parseInspect(argv);
    if (options === undefined) {
      output.print(inspectHelp());
      return STATUS_DONE;
    }
    const found = await inspect(options);
    output.print(options.isJson ? `${JSON.stringify(found, null, 2)}\n` : inspectionText(found));
    return STATUS_DONE;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    output.printError(`dynaring: ${error.message}`);
    return STATUS_REFUSED;
  }
}
