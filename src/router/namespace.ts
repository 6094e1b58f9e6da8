import { ApiError } from '../api/errors.ts';
import { AdminError } from '../api/fault-rule.ts';
import type { RequestContext } from '../api/operations.ts';

/** The part of the credentials that gives a request its namespace, unless its access key names one. */
export type Isolation = 'none' | 'access-key' | 'region' | 'both';

/** The namespace of all other requests. */
export const DEFAULT_NAMESPACE = '';

/** The access key that selects a namespace is this prefix and the name of the namespace. */
const KEY_PREFIX = 'dynaringns';
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const NAME_RULE = '1 to 64 letters, digits, "_", "." or "-"';
/** Access keys and regions of real accounts match this. They are used as namespaces without encoding. */
const PLAIN_PART = /^[A-Za-z0-9_.-]{0,128}$/;
/**
 * Most bytes of an access key or region in a namespace. With two of them, the key of a definition still fits the store.
 */
const MAX_PART_BYTES = 256;
/**
 * All that `namespaceOf` may return. It has no slash, which ends a namespace in the store, and no colon, as ARNs have.
 */
const ANY_NAMESPACE = /^[A-Za-z0-9_.!~*'()%@-]*$/;
const MAX_NAMESPACE_BYTES = 2 * MAX_PART_BYTES + 1;

/**
 * The namespace of a request. Tables of different namespaces are independent of each other.
 *
 * An access key `dynaringns…` selects the namespace that the rest of it names, whatever `isolate` says. With isolation
 * by access key or by region, the namespace is the key or the region; with both, it is `key@region`. Other characters
 * than those of names are percent-encoded, so different credentials have different namespaces.
 * @returns undefined if the access key has an invalid name, or the access key or the region is too long
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

/**
 * The error for a request without a namespace. The service has this exception for credentials that it does not know.
 */
export function noNamespace({ accessKeyId }: Pick<RequestContext, 'accessKeyId'>): ApiError {
  return ApiError.unrecognizedClient(
    accessKeyId.startsWith(KEY_PREFIX)
      ? `The access key names no namespace: ${KEY_PREFIX} must be followed by ${NAME_RULE}`
      : 'The access key or the region is too long to name a namespace',
  );
}

/**
 * The access key that selects a namespace.
 * @throws AdminError if `name` is not valid
 */
export function accessKeyOf(name: string): string {
  if (typeof name === 'string' && NAME.test(name)) return KEY_PREFIX + name;
  throw new AdminError(`the name of a namespace must be ${NAME_RULE}, not ${JSON.stringify(name)}`, 'namespace');
}

/**
 * Checks a namespace that an administrator names. The default one is allowed, and those of access keys and regions too.
 * @throws AdminError if there can be no such namespace
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
