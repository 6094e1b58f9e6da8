import type { AttributeMap } from '../api/attribute-value.ts';
import { fromImage, toImage } from '../api/item.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE } from '../dynamo/client.ts';
import { RingError } from '../dynamo/ring-error.ts';
import { type FoundedCluster, isDiskId, isNodeName, isWithin } from '../env/peer-record.ts';
import { firstGoal, type Goal, type GoalSettings } from './goal.ts';

/** The key of the goal. The other items of the system table have other partition keys. */
const GOAL: ItemKey = { table: SYSTEM_TABLE, partitionKey: 'goal', sortKey: '' };
const VERSION = 'version';
const TEXT = 'goal';
/** How often a change is tried that others are quicker than. */
const ATTEMPTS = 5;

/**
 * The goal of a cluster, as one strict item of the system table (docs/protocol.md section 8.7). While there is none, it is
 * what the founding has given.
 */
export class GoalRegister {
  readonly #client: DynamoClient;
  #newest: Goal;

  constructor(client: DynamoClient, cluster: FoundedCluster) {
    this.#client = client;
    this.#newest = firstGoal(cluster);
  }

  /** The newest goal that this process has heard of. It may be stale. */
  get newest(): Goal {
    return this.#newest;
  }

  /** Takes a goal that somebody else has heard of. */
  hear(goal: Goal): void {
    if (goal.version > this.#newest.version) this.#newest = goal;
  }

  /** Reads the goal as it is now. @returns undefined if too few replicas answer */
  async read(): Promise<Goal | undefined> {
    const outcome = await this.#client.read({ key: GOAL, from: 'latest', consistency: 'strict' });
    if (outcome.kind === 'none') return this.#newest;
    if (outcome.kind !== 'found') return undefined;
    this.hear(goalIn(fromImage(outcome.item)));
    return this.#newest;
  }

  /**
   * Changes the goal, on the condition that it is still what was edited.
   *
   * @param edit a pure function of the present goal; may be called more than once, and may throw a RingError
   * @throws RingError also if the ring cannot do that now; the goal may have been changed all the same
   */
  async change(edit: (goal: Goal) => Goal): Promise<Goal> {
    for (let left = ATTEMPTS; left > 0; left--) {
      const present = await this.read();
      if (present === undefined) break;
      const next = edit(present);
      const item: AttributeMap = { [VERSION]: { N: String(next.version) }, [TEXT]: { S: JSON.stringify(next) } };
      const path = [VERSION];
      const outcome = await this.#client.write(
        GOAL,
        {
          kind: 'put',
          item: toImage(item),
          condition: {
            kind: 'or',
            left: { kind: 'not-exists', path },
            right: {
              kind: 'compare',
              comparator: '=',
              left: { kind: 'path', path },
              right: { kind: 'value', value: { N: String(present.version) } },
            },
          },
        },
        { consistency: 'strict', wantsOld: false },
      );
      if (outcome.kind === 'applied') {
        this.hear(next);
        return next;
      }
      if (outcome.kind !== 'condition-failed') break;
    }
    throw new RingError('the goal of the cluster could not be changed: too few nodes answer, or others change it');
  }
}

/** @throws RingError if this is no goal, as when a newer release has written it */
function goalIn(item: AttributeMap): Goal {
  const goal = readGoal(JSON.parse((item[TEXT] as { S: string }).S));
  if (goal === undefined) throw new RingError('the goal of the cluster is none that this release can read');
  return goal;
}

function readGoal(value: unknown): Goal | undefined {
  const { version, roster, past, wanted, level, settings } = Object(value) as Partial<Goal>;
  const isSound =
    isWithin(version, 1, Number.MAX_SAFE_INTEGER) &&
    isWithin(level, 1, 1_000) &&
    Array.isArray(roster) &&
    roster.every((node) => isNodeName(node?.name) && isDiskId(node.diskId)) &&
    Array.isArray(past) &&
    past.every(isDiskId) &&
    Array.isArray(wanted) &&
    wanted.every((names) => Array.isArray(names) && names.every((name) => roster.some((node) => node.name === name)));
  if (!isSound) return undefined;
  return { version, roster, past, wanted, level, settings: Object(settings) as GoalSettings };
}
