import { type AttributeMap, type AttributeValue, checkLevels, normaliseValue, typeOf } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import { DOCUMENT_BYTES, valueSize } from '../item.ts';
import { MAX_ITEM_BYTES, updateTooLarge } from '../item-limits.ts';
import { addNumbers } from '../number-sum.ts';
import type { Path, Update, UpdateAction, UpdateValue } from './ast.ts';
import { valueAt } from './condition.ts';

/**
 * The item after an update. Every action sees the item as it was before, and list indexes count in the list as it was
 * before (developer guide, "Update expressions").
 *
 * A text of 4 KB can name one large value hundreds of times. All values that the actions make become part of the item,
 * so the update ends with an error as soon as the values made so far are too large for any item. That bounds time and
 * memory.
 * @param update resolved, its values normalised
 * @param item normalised; undefined if there is none. It is not changed, and the new item shares parts with it
 * @param key the key attributes of a new item
 * @returns undefined if there was no item and the update only removes: no item is made then, whatever the paths
 * @throws ApiError (ValidationException) if the update does not fit the item
 */
export function applyUpdate(
  { origin, actions }: Update,
  item: AttributeMap | undefined,
  key: AttributeMap,
): AttributeMap | undefined {
  const onlyRemoves = actions.length > 0 && actions.every(({ kind }) => kind === 'remove' || kind === 'delete');
  if (item === undefined && onlyRemoves) return undefined;
  // A new item counts as having its key attributes (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1).
  const before = item ?? key;
  const root = newNode();
  const work: Work = { bytesLeft: MAX_ITEM_BYTES, removed: undefined };
  for (const action of actions) {
    const value = newValue(action, before, origin, work);
    if (value !== undefined) take(work, valueSize(value));
    if (action.kind === 'set') checkLevels(value!, action.path.length);
    place(root, action.path, value);
  }
  return editMap(before, root);
}

/** The state of one update. */
interface Work {
  /** How many bytes the values that it makes may still have, as the service counts them. */
  bytesLeft: number;
  /** The members of the sets that DELETE removes, kept because many actions may name the same value. */
  removed: Map<AttributeValue, ReadonlySet<string>> | undefined;
}

function take(work: Work, bytes: number): void {
  work.bytesLeft -= bytes;
  if (work.bytesLeft < 0) throw updateTooLarge();
}

/** The value at the path of an action after the update. Undefined: none. */
function newValue(
  action: UpdateAction,
  item: AttributeMap,
  origin: Update['origin'],
  work: Work,
): AttributeValue | undefined {
  if (action.kind === 'remove') return undefined;
  if (action.kind === 'set') return evaluate(action.value, item, work);
  const current = valueAt(action.path, item);
  if (current === undefined) return action.kind === 'add' ? action.value : undefined;
  if (typeOf(current) !== typeOf(action.value)) throw wrongType(origin);
  return action.kind === 'add' ? sum(current, action.value, work) : difference(current, action.value, work);
}

function evaluate(value: UpdateValue, item: AttributeMap, work: Work): AttributeValue {
  switch (value.kind) {
    case 'value':
      return value.value;
    case 'path': {
      const found = valueAt(value.path, item);
      if (found !== undefined) return found;
      throw ApiError.validation('The provided expression refers to an attribute that does not exist in the item');
    }
    case 'if-not-exists':
      return valueAt(value.path, item) ?? evaluate(value.otherwise, item, work);
    case 'list-append': {
      const parts: AttributeValue[] = [];
      collectParts(value, item, work, parts);
      return concatenation(parts, work, 'expression');
    }
    case 'plus':
    case 'minus': {
      const left = evaluate(value.left, item, work);
      const right = evaluate(value.right, item, work);
      if ('N' in left && 'N' in right) return { N: addNumbers(left.N, right.N, value.kind) };
      throw wrongType('expression');
    }
  }
}

/** Collects the lists that a `list_append`, and those nested in it, concatenates. */
function collectParts(value: UpdateValue, item: AttributeMap, work: Work, parts: AttributeValue[]): void {
  if (value.kind === 'list-append') {
    collectParts(value.left, item, work, parts);
    collectParts(value.right, item, work, parts);
  } else if (value.kind === 'if-not-exists' && valueAt(value.path, item) === undefined) {
    collectParts(value.otherwise, item, work, parts);
  } else {
    parts.push(evaluate(value, item, work));
  }
}

/** Copies each element once, and only after it is known that all of them fit. */
function concatenation(parts: readonly AttributeValue[], work: Work, origin: Update['origin']): AttributeValue {
  const lists = parts.map((part) => {
    if ('L' in part) return part.L;
    throw wrongType(origin);
  });
  let bytes = 0;
  for (const part of parts) {
    bytes += valueSize(part);
    // Each part counts as a list of its own here. A result that is too large by this little is found when the item is
    // encoded.
    if (bytes - DOCUMENT_BYTES * parts.length > work.bytesLeft) throw updateTooLarge();
  }
  return { L: lists.flat() };
}

/** The result of ADD for two values of one type that it takes. */
function sum(current: AttributeValue, added: AttributeValue, work: Work): AttributeValue {
  if ('N' in current && 'N' in added) return { N: addNumbers(current.N, added.N, 'plus') };
  if ('L' in current && 'L' in added) return concatenation([current, added], work, 'legacy');
  // The union is at least as large as the larger of the two.
  if (valueSize(added) > work.bytesLeft) throw updateTooLarge();
  return ofMembers(current, new Set([...membersOf(current), ...membersOf(added)]))!;
}

/** The result of DELETE for two sets of one type. Undefined if no member is left. */
function difference(current: AttributeValue, removed: AttributeValue, work: Work): AttributeValue | undefined {
  work.removed ??= new Map();
  let gone = work.removed.get(removed);
  if (gone === undefined) {
    gone = new Set(membersOf(removed));
    work.removed.set(removed, gone);
  }
  const stays = (member: string) => !gone.has(member);
  return ofMembers(current, new Set(membersOf(current).filter(stays)));
}

/** Equal members of normalised sets have equal texts. */
function membersOf(set: AttributeValue): readonly string[] {
  return (set as Record<string, string[]>)[typeOf(set)]!;
}

function ofMembers(like: AttributeValue, members: ReadonlySet<string>): AttributeValue | undefined {
  if (members.size === 0) return undefined;
  const set = { [typeOf(like)]: [...members] } as AttributeValue;
  normaliseValue(set);
  return set;
}

/** The changes below one place of the item. */
interface Node {
  /** The place itself gets a new value, or is removed. */
  change?: { readonly value: AttributeValue | undefined };
  readonly names: Map<string, Node>;
  readonly indexes: Map<number, Node>;
}

function newNode(): Node {
  return { names: new Map(), indexes: new Map() };
}

function place(root: Node, path: Path, value: AttributeValue | undefined): void {
  let node = root;
  for (const step of path) {
    const children: Map<string | number, Node> = typeof step === 'number' ? node.indexes : node.names;
    let child = children.get(step);
    if (child === undefined) {
      child = newNode();
      children.set(step, child);
    }
    node = child;
  }
  node.change = { value };
}

function editValue(current: AttributeValue | undefined, node: Node): AttributeValue | undefined {
  if (node.change !== undefined) return node.change.value;
  if (current !== undefined && node.names.size > 0 && 'M' in current) return { M: editMap(current.M, node) };
  if (current !== undefined && node.indexes.size > 0 && 'L' in current) return { L: editList(current.L, node) };
  throw ApiError.validation('The document path provided in the update expression is invalid for update');
}

/** Attributes keep their order, and new ones follow. `__proto__` and other special names become own properties too. */
function editMap(map: AttributeMap, { names }: Node): AttributeMap {
  const entries: [string, AttributeValue][] = [];
  for (const name of Object.keys(map)) {
    const node = names.get(name);
    const value = node === undefined ? map[name] : editValue(map[name], node);
    if (value !== undefined) entries.push([name, value]);
  }
  for (const [name, node] of names) {
    const value = Object.hasOwn(map, name) ? undefined : editValue(undefined, node);
    if (value !== undefined) entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}

/** Removed elements close up. Elements that are set beyond the end are appended in the order of their indexes. */
function editList(list: readonly AttributeValue[], { indexes }: Node): AttributeValue[] {
  const edited = list.map((element, index) => {
    const node = indexes.get(index);
    return node === undefined ? element : editValue(element, node);
  });
  const beyond = [...indexes.keys()].filter((index) => index >= list.length).sort((a, b) => a - b);
  for (const index of beyond) edited.push(editValue(undefined, indexes.get(index)!));
  return edited.filter((element) => element !== undefined);
}

function wrongType(origin: Update['origin']): ApiError {
  return ApiError.validation(
    origin === 'legacy'
      ? 'Type mismatch for attribute to update'
      : 'An operand in the update expression has an incorrect data type',
  );
}
