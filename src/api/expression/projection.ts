import type { AttributeMap, AttributeValue } from '../attribute-value.ts';
import type { Path, Projection } from './ast.ts';

/**
 * The part of an item that a projection keeps. Maps and lists on the way to a kept value keep their shape, except that
 * the kept elements of a list close up, in the order of the list. A path that the item lacks adds nothing.
 * @returns a new map. It shares the values that it keeps whole with `item`, so neither may be changed afterwards
 */
export function applyProjection(projection: Projection, item: AttributeMap): AttributeMap {
  return projectMap(item, stepsOf(projection));
}

/** The same for many items: the work that depends on the projection alone (up to a thousand paths) is done once. */
export function projector(projection: Projection): (item: AttributeMap) => AttributeMap {
  const steps = stepsOf(projection);
  return (item) => projectMap(item, steps);
}

/**
 * With more steps than this, the attributes of a map are looked up among the steps, instead of the steps in the map.
 */
const MANY_STEPS = 16;

/** The paths of a projection by their first step. An empty map stands for a value that is kept whole. */
type Steps = Map<string | number, Steps>;

function stepsOf(paths: readonly Path[]): Steps {
  const root: Steps = new Map();
  for (const path of paths) {
    let node = root;
    for (const step of path) {
      let next = node.get(step);
      if (next === undefined) {
        next = new Map();
        node.set(step, next);
      }
      node = next;
    }
  }
  return root;
}

function projectMap(map: AttributeMap, steps: Steps): AttributeMap {
  const kept: AttributeMap = {};
  if (steps.size > MANY_STEPS) {
    for (const name of Object.keys(map)) {
      const below = steps.get(name);
      const value = below && projectValue(map[name]!, below);
      if (value !== undefined) setOwn(kept, name, value);
    }
    return kept;
  }
  for (const [step, below] of steps) {
    if (typeof step === 'number' || !Object.hasOwn(map, step)) continue;
    const value = projectValue(map[step]!, below);
    if (value !== undefined) setOwn(kept, step, value);
  }
  return kept;
}

function projectValue(value: AttributeValue, steps: Steps): AttributeValue | undefined {
  if (steps.size === 0) return value;
  if ('M' in value) {
    const kept = projectMap(value.M, steps);
    return Object.keys(kept).length === 0 ? undefined : { M: kept };
  }
  if ('L' in value) {
    const kept = projectList(value.L, steps);
    return kept.length === 0 ? undefined : { L: kept };
  }
  return undefined;
}

function projectList(list: readonly AttributeValue[], steps: Steps): AttributeValue[] {
  const kept: AttributeValue[] = [];
  const indexes = [...steps.keys()].filter((step) => typeof step === 'number').sort((a, b) => a - b);
  for (const index of indexes) {
    const element = list[index];
    const value = element === undefined ? undefined : projectValue(element, steps.get(index)!);
    if (value !== undefined) kept.push(value);
  }
  return kept;
}

/** Assigning `__proto__` would change the prototype instead of making an attribute. */
function setOwn(map: AttributeMap, name: string, value: AttributeValue): void {
  if (name === '__proto__') {
    Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    map[name] = value;
  }
}
