import * as sdk from '@aws-sdk/client-dynamodb';
import { ask } from './requests.mjs';

/** The operations that the SDK knows. */
const OPERATIONS = Object.keys(sdk)
  .filter((name) => name.endsWith('Command') && name !== '$Command')
  .map((name) => name.slice(0, -'Command'.length))
  .sort();

/**
 * Which operations a server answers with something else than that it does not know them. Each is asked without any
 * parameter: whether it does all that the service does is not seen here, so this is the most it may claim.
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
