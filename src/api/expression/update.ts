import { type AttributeMap, type AttributeValue, checkLevels, normaliseValue, typeOf } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import { addNumbers } from '../number-sum.ts';
import type { Path, Update, UpdateAction, UpdateValue } from './ast.ts';
import { valueAt } from './condition.ts';

/**
 * The item that an update makes of another. Every action sees the item as it was, and every list index counts in the
 * list as it was (developer guide, "Update expressions").
 * @param update resolved, its values normalised
 * @param item normalised; undefined if there is none. It is left as it is, and the new one shares parts with it
 * @param key what an item that is made has beside
 * @returns undefined if there was no item and the update only removes: then none is made
 * @throws ApiError (ValidationException) if the update does not fit the item
 */
export function applyUpdate(
  { origin, actions }: Update,
  item: AttributeMap | undefined,
  key: AttributeMap,
): AttributeMap | undefined {
  const root = newNode();
  for (const action of actions) place(root, action.path, newValue(action, item, origin));
  if (item !== undefined) return editMap(item, root);
  const onlyRemoves = actions.length > 0 && actions.every(({ kind }) => kind === 'remove' || kind === 'delete');
  const made = editMap(key, root);
  return onlyRemoves ? undefined : made;
}

/** What the item has at the path of an action afterwards; undefined: nothing. */
function newValue(
  action: UpdateAction,
  item: AttributeMap | undefined,
  origin: Update['origin'],
): AttributeValue | undefined {
  if (action.kind === 'remove') return undefined;
  if (action.kind === 'set') {
    const value = evaluate(action.value, item);
    checkLevels(value, action.path.length);
    return value;
  }
  const current = valueAt(action.path, item);
  if (current === undefined) return action.kind === 'add' ? action.value : undefined;
  if (typeOf(current) !== typeOf(action.value)) throw wrongType(origin);
  return action.kind === 'add' ? sum(current, action.value) : difference(current, action.value);
}

function evaluate(value: UpdateValue, item: AttributeMap | undefined): AttributeValue {
  switch (value.kind) {
    case 'value':
      return value.value;
    case 'path': {
      const found = valueAt(value.path, item);
      if (found !== undefined) return found;
      throw ApiError.validation('The provided expression refers to an attribute that does not exist in the item');
    }
    case 'if-not-exists':
      return valueAt(value.path, item) ?? evaluate(value.otherwise, item);
    case 'list-append': {
      const left = evaluate(value.left, item);
      const right = evaluate(value.right, item);
      if ('L' in left && 'L' in right) return { L: [...left.L, ...right.L] };
      throw wrongType('expression');
    }
    case 'plus':
    case 'minus': {
      const left = evaluate(value.left, item);
      const right = evaluate(value.right, item);
      if ('N' in left && 'N' in right) return { N: addNumbers(left.N, right.N, value.kind) };
      throw wrongType('expression');
    }
  }
}

/** Of two values of one type, which ADD knows. */
function sum(current: AttributeValue, added: AttributeValue): AttributeValue {
  if ('N' in current && 'N' in added) return { N: addNumbers(current.N, added.N, 'plus') };
  if ('L' in current && 'L' in added) return { L: [...current.L, ...added.L] };
  return ofMembers(current, new Set([...membersOf(current), ...membersOf(added)]))!;
}

/** Of two sets of one type; a set that would be empty is none. */
function difference(current: AttributeValue, removed: AttributeValue): AttributeValue | undefined {
  const gone = new Set(membersOf(removed));
  return ofMembers(current, new Set(membersOf(current).filter((member) => !gone.has(member))));
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
  /** The place itself gets another value, or none. */
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

/** Attributes keep their places, and new ones follow. Own properties whatever their names, `__proto__` too. */
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

/** What is removed closes up; what is set beyond the end is appended in the order of the indexes. */
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
