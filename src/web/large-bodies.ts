import { NESTED_TOO_DEEP } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import { MAX_ITEM_BYTES } from '../api/item-limits.ts';
import type { OperationName } from '../api/operations.ts';
import { ByteBudget } from './byte-budget.ts';
import { type Parsed, parseSlices } from './json-slices.ts';
import type { Pause } from './pause.ts';
import { planSlices } from './slice-plan.ts';
import { validateSlices } from './validate-slices.ts';

/** Bodies up to this size are parsed and validated in one go: 20 ms at worst. */
export const LARGE_BODY_BYTES = 64 * 1024;

/** Of a list; more make an item too large, and any other list too. */
const MOST_ELEMENTS = MAX_ITEM_BYTES + 1;

export interface LargeBody {
  /** Parsed; the parts of it that are large are in pieces. */
  readonly value: unknown;
  /** As `validateRequest` of it. */
  validated(operation: OperationName): Promise<object>;
  /** To be awaited between the steps of what is done with it. */
  readonly pause: Pause;
  /** Nobody works with it any more. */
  end(): void;
}

export interface LargeBodyLimits {
  /** Objects and lists in one body. */
  readonly maxContainers: number;
  /** Members of all of them. */
  readonly maxMembers: number;
  /** Objects and lists in all bodies that are worked with. */
  readonly maxContainersInFlight: number;
}

/**
 * Reads bodies that would hold up every other request if it were done in one go, or would take memory beyond measure: the
 * service's 16 MB may hold five million objects, which are 2 GB.
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
   * Parses one.
   * @throws ApiError (SerializationException) if it is no JSON, or holds too much; ServiceUnavailable while others do
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

/** Nothing is made of it, so nothing else is known of it. */
async function refuseDepth(): Promise<never> {
  throw ApiError.validation(NESTED_TOO_DEEP);
}

/** The service has no words for it: no request that it takes comes near. */
function tooMany({ maxContainers, maxMembers }: LargeBodyLimits): string {
  return `The request holds more than ${maxContainers} objects and lists, or more than ${maxMembers} members of them`;
}
