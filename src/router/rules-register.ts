import type { Condition, UpdateAction } from '../api/expression/ast.ts';
import { AdminError } from '../api/fault-rule.ts';
import { fromImage, type ItemImage, toImage } from '../api/item.ts';
import type { Mutation } from '../api/mutation.ts';
import { type DynamoClient, type ItemKey, SYSTEM_TABLE, type WriteOptions } from '../dynamo/client.ts';
import { VersionedItem } from '../dynamo/versioned-item.ts';
import { NO_RULES, type SharedRules, sharedRulesIn, textOf } from './shared-rules.ts';

const KEY: ItemKey = { table: SYSTEM_TABLE, partitionKey: 'rules', sortKey: '' };
const CLAIM: WriteOptions = { consistency: 'strict', wantsOld: true };
/**
 * The attributes of the item: the version, by which it is replaced; the JSON text of the rules; and by id, how often
 * those rules have fired that are bounded by `times`.
 */
const VERSION = 'version';
const TEXT = 'rules';
const FIRED = 'fired';
/** What an update needs to know of the table whose item it changes: nothing of this one has a key or an index. */
const TABLE = { key: { partition: { name: 'id', type: 'S' } }, indexes: [] } as const;

/** The rules as they are stored, and how often those with `times` have fired. */
export interface StoredRules {
  readonly shared: SharedRules;
  /** By id. */
  readonly fired: ReadonlyMap<string, number>;
}

/** What has come of the attempt to claim firings of a rule. */
export interface Claimed {
  /** So many of those that were asked for are granted, and by nobody else. */
  readonly granted: number;
  /** None is left. */
  readonly isSpent: boolean;
}

/**
 * The fault rules of a cluster as one strict item of the system table, beside the definitions of tables. Each edit is a
 * conditional write on the version that it was made from; each firing of a rule with `times` is claimed by a
 * conditional write that leaves the version alone. So whatever routers do at a time, every edit counts, and no rule
 * fires more often than it may.
 */
export class RulesRegister {
  readonly #client: Pick<DynamoClient, 'write'>;
  readonly #item: VersionedItem<StoredRules, SharedRules>;

  constructor(client: Pick<DynamoClient, 'read' | 'write'>) {
    this.#client = client;
    this.#item = new VersionedItem({
      client,
      key: KEY,
      decode: storedIn,
      mutationTo: (found, next) => mutationTo(found?.shared ?? NO_RULES, next),
      isIt: ({ shared }, next) => shared.edit === next.edit,
      error: (reason) => new AdminError(reason, undefined, 409),
      words: {
        unreadable: 'the fault rules of the cluster cannot be read',
        unwritable: 'the fault rules of the cluster cannot be written',
        contended: 'others are changing the fault rules at the same time: try again',
        unknown: 'it is not known whether the rules were changed: list them, and try again',
      },
    });
  }

  /** @throws AdminError with status 409 if the cluster cannot tell */
  async read(): Promise<StoredRules> {
    return (await this.#item.read()) ?? NOTHING;
  }

  /**
   * Replaces the rules by what `change` makes of them.
   *
   * @param change pure; called again if another edit came first; may object by throwing; the same object: nothing to do
   * @returns the rules that are there now
   * @throws AdminError with status 409 if the cluster cannot do it, or it is not known whether it has; whatever `change`
   *   throws
   */
  async edit(change: (shared: SharedRules) => SharedRules): Promise<SharedRules> {
    const { found, written } = await this.#item.edit((current) => {
      const present = current?.shared ?? NO_RULES;
      const next = change(present);
      return next === present ? undefined : next;
    });
    return written ?? found?.shared ?? NO_RULES;
  }

  /**
   * Claims firings of a rule with `times`. If the answer is lost they are used up, and none is granted.
   *
   * @param wanted at least 1
   */
  async claim(id: string, times: number, wanted: number): Promise<Claimed> {
    const path = [FIRED, id];
    const condition: Condition = {
      kind: 'compare',
      comparator: '<=',
      left: { kind: 'path', path },
      right: { kind: 'value', value: { N: String(times - wanted) } },
    };
    const mutation = updating([{ kind: 'add', path, value: { N: String(wanted) } }], condition);
    const outcome = await this.#client.write(KEY, mutation, CLAIM);
    if (outcome.kind === 'applied') {
      const before = outcome.old === undefined ? 0 : (storedIn(outcome.old).fired.get(id) ?? 0);
      return { granted: wanted, isSpent: before + wanted >= times };
    }
    if (outcome.kind !== 'condition-failed') return { granted: 0, isSpent: false };
    const before = outcome.current && storedIn(outcome.current).fired.get(id);
    const left = before === undefined ? 0 : times - before;
    if (left <= 0) return { granted: 0, isSpent: true };
    return this.claim(id, times, Math.min(left, wanted));
  }
}

const NOTHING: StoredRules = { shared: NO_RULES, fired: new Map() };

function mutationTo(current: SharedRules, next: SharedRules): Mutation {
  if (current.version === 0) {
    const fired = Object.fromEntries(counted(next).map((id) => [id, { N: '0' }]));
    const item = { [VERSION]: { N: String(next.version) }, [TEXT]: { S: textOf(next) }, [FIRED]: { M: fired } };
    return { kind: 'put', item: toImage(item), condition: { kind: 'not-exists', path: [VERSION] } };
  }
  const [before, after] = [counted(current), counted(next)];
  const set = (path: readonly string[], value: { N: string } | { S: string }): UpdateAction => ({
    kind: 'set',
    path,
    value: { kind: 'value', value },
  });
  return updating(
    [
      set([VERSION], { N: String(next.version) }),
      set([TEXT], { S: textOf(next) }),
      ...after.filter((id) => !before.includes(id)).map((id) => set([FIRED, id], { N: '0' })),
      ...before.filter((id) => !after.includes(id)).map((id) => ({ kind: 'remove', path: [FIRED, id] }) as const),
    ],
    {
      kind: 'compare',
      comparator: '=',
      left: { kind: 'path', path: [VERSION] },
      right: { kind: 'value', value: { N: String(current.version) } },
    },
  );
}

/** The rules whose firings are counted in the item. */
function counted({ rules }: SharedRules): readonly string[] {
  return rules.filter(({ rule }) => rule.times !== undefined).map(({ id }) => id);
}

function updating(actions: readonly UpdateAction[], condition: Condition): Mutation {
  return { kind: 'update', update: { origin: 'expression', actions }, key: {}, table: TABLE, condition };
}

function storedIn(image: ItemImage): StoredRules {
  const item = fromImage(image) as {
    readonly [VERSION]?: { readonly N?: string };
    readonly [TEXT]?: { readonly S?: string };
    readonly [FIRED]?: { readonly M?: Readonly<Record<string, { readonly N?: string }>> };
  };
  const shared = sharedRulesIn(Number(item[VERSION]?.N), item[TEXT]?.S ?? '');
  if (shared === undefined) {
    throw new AdminError('the fault rules are of a release that this one does not know', undefined, 409);
  }
  const fired = Object.entries(item[FIRED]?.M ?? {}).map(([id, { N }]): [string, number] => [id, Number(N)]);
  return { shared, fired: new Map(fired) };
}
