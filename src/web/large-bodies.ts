import { NESTED_TOO_DEEP } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import { MAX_ITEM_BYTES } from '../api/item-limits.ts';
import type { OperationName } from '../api/operations.ts';
import { ByteBudget } from './byte-budget.ts';
import { type Parsed, parseSlices } from './json-slices.ts';
import type { Pause } from './pause.ts';
import { planSlices } from './slice-plan.ts';
import { validateSlices } from './validate-slices.ts';

/** Bodies up to this size are parsed and validated without a pause: 20 ms at worst. */
export const LARGE_BODY_BYTES = 64 * 1024;

/** Longest list that is kept. A longer list makes an item too large, and no other list may be as long. */
const MOST_ELEMENTS = MAX_ITEM_BYTES + 1;

export interface LargeBody {
  /** The parsed body, whose large parts are in chunks. */
  readonly value: unknown;
  /** As `validateRequest`, applied to this body. */
  validated(operation: OperationName): Promise<object>;
  /** To be awaited between the steps of working with it. */
  readonly pause: Pause;
  /** Releases it: call when nothing uses it any more. */
  end(): void;
}

export interface LargeBodyLimits {
  /** Objects and lists in one body. */
  readonly maxContainers: number;
  /** Members of all objects and lists of one body. */
  readonly maxMembers: number;
  /** Objects and lists in all bodies that are in use. */
  readonly maxContainersInFlight: number;
}

/**
 * Reads large bodies. Parsed without pauses, one would block every other request, and it may need far more memory than
 * its size: the service's 16 MB can hold five million objects, which take 2 GB.
 */
export class LargeBodies {
  readonly #limits: LargeBodyLimits;
  readonly #containers: ByteBudget;
  readonly #pause: Pause;

  constructor(limits: LargeBodyLimits, pause: Pause) {
    this.#limits = limits;
    this.#containers = new ByteBudget(limits.maxContainersInFlight);
    this.#pause = pause;
  }

  /**
   * Parses a body.
   * @throws ApiError: SerializationException if it is no JSON or holds too much; ServiceUnavailable while other bodies
   *   use up the limit
   */
  async parse(body: Uint8Array): Promise<LargeBody> {
    const plan = await planSlices(body, this.#limits, this.#pause);
    if (plan === 'broken') throw ApiError.serialization(undefined);
    if (plan === 'too-many') throw ApiError.serialization(tooMany(this.#limits));
    if (plan === 'too-deep') return { ...this.#bodyOf({ value: {}, parts: [] }, 0), validated: refuseDepth };
    if (!this.#containers.take(plan.containers)) throw ApiError.serviceUnavailable();
    const parsed = await parseSlices(body, plan, this.#pause, MOST_ELEMENTS);
    if (parsed !== undefined) return this.#bodyOf(parsed, plan.containers);
    this.#containers.give(plan.containers);
    throw ApiError.serialization(undefined);
  }

  #bodyOf(parsed: Parsed, containers: number): LargeBody {
    return {
      value: parsed.value,
      validated: (operation) => validateSlices(operation, parsed, this.#pause),
      pause: this.#pause,
      end: () => this.#containers.give(containers),
    };
  }
}

/** The error for a body that is nested too deeply. The body is not parsed, so no other error can be found in it. */
async function refuseDepth(): Promise<never> {
  throw ApiError.validation(NESTED_TOO_DEEP);
}

/** Our own text, because the service has none: no request that it accepts comes near this limit. */
function tooMany({ maxContainers, maxMembers }: LargeBodyLimits): string {
  return `The request holds more than ${maxContainers} objects and lists, or more than ${maxMembers} members of them`;
}
