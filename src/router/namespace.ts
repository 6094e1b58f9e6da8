import { ApiError } from '../api/errors.ts';
import { AdminError } from '../api/fault-rule.ts';
import type { RequestContext } from '../api/operations.ts';

/** Which part of its credentials gives a request its namespace, if its access key does not name one. */
export type Isolation = 'none' | 'access-key' | 'region' | 'both';

/** The namespace of requests that nothing else is said of. */
export const DEFAULT_NAMESPACE = '';

/** An access key that begins so goes on with the name of a namespace. */
const KEY_PREFIX = 'dynaringns';
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const NAME_RULE = '1 to 64 letters, digits, "_", "." or "-"';
/** Access keys and regions of real accounts; these are namespaces as they are. */
const PLAIN_PART = /^[A-Za-z0-9_.-]{0,128}$/;
/**
 * Bytes of an access key or region as part of a namespace. With two of them a definition's key still fits the store.
 */
const MAX_PART_BYTES = 256;
/** What `namespaceOf` may give. Neither a slash, which ends a namespace in the store, nor a colon, which ARNs have. */
const ANY_NAMESPACE = /^[A-Za-z0-9_.!~*'()%@-]*$/;
const MAX_NAMESPACE_BYTES = 2 * MAX_PART_BYTES + 1;

/**
 * The namespace that a request works in: tables of two namespaces have nothing to do with each other.
 *
 * An access key `dynaringns…` selects the namespace that the rest of it names, whatever `isolate` says. With isolation
 * by access key, or by region, a namespace is called as the key or the region is; with both, `key@region`. Characters
 * that names do not have are percent-encoded, so different credentials have different namespaces.
 * @returns undefined if the access key names none, or is too long to be one
 */
export function namespaceOf(
  { accessKeyId, region }: Pick<RequestContext, 'accessKeyId' | 'region'>,
  isolate: Isolation,
): string | undefined {
  if (accessKeyId.startsWith(KEY_PREFIX)) {
    const name = accessKeyId.slice(KEY_PREFIX.length);
    return NAME.test(name) ? name : undefined;
  }
  switch (isolate) {
    case 'none':
      return DEFAULT_NAMESPACE;
    case 'access-key':
      return partOf(accessKeyId);
    case 'region':
      return partOf(region);
    case 'both': {
      const [key, place] = [partOf(accessKeyId), partOf(region)];
      return key === undefined || place === undefined ? undefined : `${key}@${place}`;
    }
  }
}

/** The answer to a request without a namespace. Its name is the service's for credentials that it cannot place. */
export function noNamespace({ accessKeyId }: Pick<RequestContext, 'accessKeyId'>): ApiError {
  return ApiError.unrecognizedClient(
    accessKeyId.startsWith(KEY_PREFIX)
      ? `The access key names no namespace: ${KEY_PREFIX} must be followed by ${NAME_RULE}`
      : 'The access key or the region is too long to name a namespace',
  );
}

/**
 * The access key that selects a namespace.
 * @throws AdminError if `name` cannot be that of one
 */
export function accessKeyOf(name: string): string {
  if (typeof name === 'string' && NAME.test(name)) return KEY_PREFIX + name;
  throw new AdminError(`the name of a namespace must be ${NAME_RULE}, not ${JSON.stringify(name)}`, 'namespace');
}

/**
 * A namespace that an administrator names: also the default one, and those of access keys and regions.
 * @throws AdminError if there can be none of that name
 */
export function checkNamespace(namespace: string): string {
  const isPossible =
    typeof namespace === 'string' && namespace.length <= MAX_NAMESPACE_BYTES && ANY_NAMESPACE.test(namespace);
  if (isPossible) return namespace;
  throw new AdminError(`there can be no namespace ${JSON.stringify(namespace)}`, 'namespace');
}

function partOf(text: string): string | undefined {
  if (PLAIN_PART.test(text)) return text;
  const encoded = encodeURIComponent(text);
  return encoded.length <= MAX_PART_BYTES ? encoded : undefined;
}
