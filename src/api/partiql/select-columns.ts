import type { AttributeMap, AttributeValue } from '../attribute-value.ts';
import type { Path } from '../expression/ast.ts';

/** The columns of a SELECT by the steps of their paths. */
interface Step {
  /** Which columns end here, by their positions. */
  readonly ends: number[];
  readonly below: Map<string | number, Step>;
}

/** A value with the position of its column: of columns with one name, the last one is answered. */
type Found = Map<string, { readonly column: number; readonly value: AttributeValue }>;

/**
 * Makes the answered attributes of items. Each is named by the last name of its path and the indexes behind it: `a.b[0]` is
 * answered as `b[0]` (recorded by floci, 2026-09-17, eu-west-2).
 *
 * An item takes as long as the smaller of itself and the columns: a page may have tens of thousands of tiny items.
 */
export function columnSelector(columns: readonly Path[]): (item: AttributeMap) => AttributeMap {
  const names = columns.map(columnName);
  const root = newStep();
  for (const [at, path] of columns.entries()) {
    let step = root;
    for (const name of path) {
      const next = step.below.get(name) ?? newStep();
      step.below.set(name, next);
      step = next;
    }
    step.ends.push(at);
  }
  return (item) => {
    const found: Found = new Map();
    selectFromMap(item, root, names, found);
    return Object.fromEntries([...found].map(([name, { value }]) => [name, value]));
  };
}

function newStep(): Step {
  return { ends: [], below: new Map() };
}

function columnName(path: Path): string {
  const last = path.findLastIndex((step) => typeof step === 'string');
  const indexes = path.slice(last + 1).map((step) => `[${step}]`);
  return `${path[last]}${indexes.join('')}`;
}

function select(value: AttributeValue, { ends, below }: Step, names: readonly string[], found: Found): void {
  for (const column of ends) {
    const name = names[column]!;
    if ((found.get(name)?.column ?? -1) < column) found.set(name, { column, value });
  }
  if (below.size === 0) return;
  if ('M' in value) selectFromMap(value.M, { ends, below }, names, found);
  else if ('L' in value) selectFromList(value.L, below, names, found);
}

function selectFromMap(map: AttributeMap, { below }: Step, names: readonly string[], found: Found): void {
  const present = Object.keys(map);
  if (present.length < below.size) {
    for (const name of present) {
      const step = below.get(name);
      if (step !== undefined) select(map[name]!, step, names, found);
    }
    return;
  }
  for (const [name, step] of below) {
    if (typeof name === 'string' && Object.hasOwn(map, name)) select(map[name]!, step, names, found);
  }
}

function selectFromList(
  list: readonly AttributeValue[],
  below: Step['below'],
  names: readonly string[],
  found: Found,
): void {
  if (list.length < below.size) {
    for (const [at, element] of list.entries()) {
      const step = below.get(at);
      if (step !== undefined) select(element, step, names, found);
    }
    return;
  }
  for (const [at, step] of below) {
    const element = typeof at === 'number' ? list[at] : undefined;
    if (element !== undefined) select(element, step, names, found);
  }
}
