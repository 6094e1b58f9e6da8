import type { ItemImage } from '../api/item.ts';
import type { Mutation } from '../api/mutation.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE } from '../dynamo/client.ts';
import { RingError } from '../dynamo/ring-error.ts';
import { VersionedItem } from '../dynamo/versioned-item.ts';
import { type Goal, goalIn } from './goal.ts';

const KEY: ItemKey = { table: SYSTEM_TABLE, partitionKey: 'goal', sortKey: '' };
/** The attributes of the item: the version, by which it is replaced, and the JSON text of the goal. */
const VERSION = 'version';
const TEXT = 'goal';

/**
 * The goal of the cluster as one strict item of the system table, beside the definitions of tables. Each edit is one
 * conditional write on the version that it was made from, so edits at several processes at a time all count, one after
 * the other.
 */
export class GoalRegister {
  readonly #item: VersionedItem<Goal, Goal>;
  readonly #first: () => Goal;
  readonly #onNewer: (goal: Goal) => void;
  #known: Goal | undefined;

  /**
   * @param first the goal of a cluster that nobody has changed yet
   * @param onNewer called with each goal that is newer than those known before
   */
  constructor(
    client: Pick<DynamoClient, 'read' | 'write'>,
    first: () => Goal,
    onNewer: (goal: Goal) => void = () => {},
  ) {
    this.#item = new VersionedItem({
      client,
      key: KEY,
      decode: (image) => this.#learn(goalOf(image)),
      mutationTo: (current, next) => ({ kind: 'put', item: imageOf(next), condition: isStill(current) }),
      isIt: (found, next) => JSON.stringify(found) === JSON.stringify(next),
      error: (reason) => new RingError(reason),
      words: {
        unreadable: 'the goal of the cluster cannot be read',
        unwritable: 'the goal of the cluster cannot be written',
        contended: 'others are changing the nodes of the cluster at the same time: try again',
        unknown: 'it is not known whether the change was made: look at the status, and try again',
      },
    });
    this.#first = first;
    this.#onNewer = onNewer;
  }

  /** The newest goal that this process has read or written; undefined: none yet. */
  get known(): Goal | undefined {
    return this.#known;
  }

  /**
   * The goal as it is now. The first reader of a new cluster writes the first one.
   *
   * @throws RingError if the cluster cannot tell
   */
  async read(): Promise<Goal> {
    return (await this.#item.read()) ?? (await this.edit((goal) => goal));
  }

  /**
   * Replaces the goal by what `change` makes of it.
   *
   * @param change pure; called again if another edit came first; may object by throwing; the same object: nothing to do
   * @returns the goal that is there now
   * @throws RingError if the cluster cannot do it, or it is not known whether it has; whatever `change` throws
   */
  async edit(change: (goal: Goal) => Goal): Promise<Goal> {
    const { found, written } = await this.#item.edit((current) => {
      const next = change(current ?? this.#first());
      return next === current ? undefined : next;
    });
    return written === undefined ? found! : this.#learn(written);
  }

  #learn(goal: Goal): Goal {
    if (this.#known === undefined || goal.version > this.#known.version) {
      this.#known = goal;
      this.#onNewer(goal);
    }
    return goal;
  }
}

function isStill(current: Goal | undefined): Mutation['condition'] {
  const path = [VERSION];
  if (current === undefined) return { kind: 'not-exists', path };
  const version = { kind: 'value', value: { N: String(current.version) } } as const;
  return { kind: 'compare', comparator: '=', left: { kind: 'path', path }, right: version };
}

function imageOf(goal: Goal): ItemImage {
  const text = JSON.stringify(goal);
  const json = Buffer.from(JSON.stringify({ [VERSION]: { N: String(goal.version) }, [TEXT]: { S: text } }));
  // The size by the service's rules is for limits that nothing of the cluster itself comes near to.
  return { json, size: json.length };
}

function goalOf(image: ItemImage): Goal {
  const item = JSON.parse(Buffer.from(image.json).toString()) as { readonly [TEXT]?: { readonly S?: string } };
  const goal = goalIn(JSON.parse(item[TEXT]?.S ?? 'null'));
  if (goal === undefined) throw new RingError('the goal of the cluster is of a release that this one does not know');
  return goal;
}
