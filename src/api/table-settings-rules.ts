import { keyArn } from './arn.ts';
import { ApiError } from './errors.ts';
import { invalidParameter } from './invalid-parameter.ts';
import type { Encryption, Stream, TableConsistency } from './table-definition.ts';
import type { SSESpecification, StreamSpecification, StreamViewType, Tag } from './table-requests.ts';

const MOST_TAGS = 50;
const LONGEST_TAG_KEY = 128;
const LONGEST_TAG_VALUE = 256;
/** Letters, digits and spaces of any script, and `+ - = . _ : / @` (developer guide, "Tagging restrictions"). */
const TAG_TEXT = /^[\p{L}\p{N}\p{Zs}+\-=._:/@]*$/u;
const LARGEST_POLICY_BYTES = 20_480;
const TABLE_CLASSES = ['STANDARD', 'STANDARD_INFREQUENT_ACCESS'];

/** @throws ValidationException */
export function checkTags(tags: readonly Tag[]): void {
  const keys = new Set<string>();
  for (const { Key: key, Value: value } of tags) {
    if (!key || key.length > LONGEST_TAG_KEY || !TAG_TEXT.test(key)) {
      throw ApiError.validation(`The Tag Key provided is invalid, Key: ${key ?? null}`);
    }
    if (/^aws:/i.test(key)) throw ApiError.validation(`Tag Key cannot be prefixed with aws:, Key: ${key}`);
    if (value == null || value.length > LONGEST_TAG_VALUE || !TAG_TEXT.test(value)) {
      throw ApiError.validation(`The Tag Value provided is invalid, Value: ${value ?? null}`);
    }
    if (keys.has(key)) {
      throw ApiError.validation(`Duplicate Tag Keys provided as input: Duplicate Tag Key found ${key}`);
    }
    keys.add(key);
  }
  if (tags.length > MOST_TAGS) {
    throw ApiError.validation('Number of Tags exceed the current limit for the provided ResourceArn');
  }
}

/** A tag of our own: the service itself reads no tags. */
export const CONSISTENCY_TAG = 'dynaring:consistency';

/**
 * The consistency that the tags of a new table ask for.
 * @param fallback the consistency if they ask for none
 * @throws ValidationException
 */
export function consistencyOf(tags: readonly Tag[], fallback: TableConsistency): TableConsistency {
  const value = tags.find(({ Key }) => Key === CONSISTENCY_TAG)?.Value;
  if (value === undefined) return fallback;
  if (value === 'strict' || value === 'dynamo') return value;
  throw ApiError.validation(`The tag ${CONSISTENCY_TAG} must be strict or dynamo, not ${value}`);
}

/**
 * Checks only the form of a policy. Its statements are not read, since requests are not authorised here.
 * @throws ValidationException
 */
export function checkPolicy(policy: string): void {
  if (Buffer.byteLength(policy) > LARGEST_POLICY_BYTES) {
    throw invalidParameter(`Maximum policy size of ${LARGEST_POLICY_BYTES} bytes exceeded`);
  }
  const document = parsed(policy);
  if (document === null) throw invalidParameter('Invalid policy document: This text appears not to be a policy');
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw invalidParameter('Invalid policy document: This policy contains invalid Json');
  }
}

function parsed(policy: string): unknown {
  try {
    return JSON.parse(policy);
  } catch {
    return undefined;
  }
}

/** @throws ValidationException */
export function checkTableClass(tableClass: string | undefined): void {
  if (tableClass != null && !TABLE_CLASSES.includes(tableClass)) {
    throw ApiError.validation(
      'Invalid table-class parameter provided. Please try again with a valid table-class value: ' +
        `[${TABLE_CLASSES.join(', ')}].`,
    );
  }
}

/** @throws ValidationException */
export function checkNewStream({ StreamEnabled: enabled, StreamViewType: viewType }: StreamSpecification): void {
  if (enabled && !viewType) {
    throw invalidParameter('Table is being created with a stream enabled, UpdateViewType is required');
  }
  if (!enabled && viewType) {
    throw invalidParameter('Table is being created with a stream disabled, UpdateViewType should not be specified');
  }
}

/** @throws ValidationException */
export function checkChangedStream({ StreamEnabled: enabled, StreamViewType: viewType }: StreamSpecification): void {
  if (enabled && !viewType) throw invalidParameter('If stream is being enabled then UpdateViewType is required');
  if (!enabled && viewType) {
    throw invalidParameter('If stream is being disabled, then UpdateViewType must not be specified');
  }
}

/** A stream that starts now. Two streams of one table never have the same label, even if the clock stands still. */
export function newStream(viewType: StreamViewType, nowMs: number, previous?: Stream): Stream {
  return { startedAtMs: Math.max(nowMs, (previous?.startedAtMs ?? 0) + 1), viewType };
}

/** @throws ValidationException for members that contradict each other */
export function checkEncryption({ Enabled: enabled, SSEType: type, KMSMasterKeyId: key }: SSESpecification): void {
  if (enabled === false) {
    if (type) throw invalidParameter('SSEType can not be specified if Enabled is false');
    if (key) throw invalidParameter('KMSMasterKeyId can not be specified if Enabled is false');
  }
  if (type === 'AES256') throw invalidParameter('SSEType AES256 is not supported');
  if (key && !type) throw invalidParameter('SSEType KMS is required if KMSMasterKeyId is specified');
}

/** The encryption that a checked specification asks for. Undefined: the default, by a key of the service. */
export function encryption(specification: SSESpecification | undefined, region: string): Encryption | undefined {
  if (!specification?.Enabled && !specification?.SSEType) return undefined;
  return { type: 'KMS', keyArn: keyArn(region, specification.KMSMasterKeyId ?? 'alias/aws/dynamodb') };
}
