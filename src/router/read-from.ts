import type { RequestContext } from '../api/operations.ts';
import type { ReadFrom } from '../dynamo/client.ts';

/** Which record a read of a client returns: by what it asks for, and by what fault rules say of its request. */
export function readFromOf(
  { ConsistentRead }: { readonly ConsistentRead?: boolean | undefined },
  { eventualReadsFrom }: Pick<RequestContext, 'eventualReadsFrom'>,
): ReadFrom {
  return ConsistentRead === true ? 'latest' : (eventualReadsFrom ?? 'committed');
}
