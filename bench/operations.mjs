import * as sdk from '@aws-sdk/client-dynamodb';
import { ask } from './requests.mjs';

/** The operations that the SDK knows. */
const OPERATIONS = Object.keys(sdk)
  .filter((name) => name.endsWith('Command') && name !== '$Command')
  .map((name) => name.slice(0, -'Command'.length))
  .sort();

/**
 * The operations that a server answers with anything but "unknown operation". Each is requested without parameters.
 * This does not show whether it works as in the service, so the result is the most that a server may claim.
 */
export async function measureOperations({ name, port }) {
  const served = [];
  for (const operation of OPERATIONS) {
    const { status, body } = await ask(port, operation, {});
    const isUnknown = status === 0 || status === 404 || /UnknownOperation|NotImplemented/.test(JSON.stringify(body));
    if (!isUnknown) served.push(operation);
  }
  return { server: name, served, known: OPERATIONS.length };
}
