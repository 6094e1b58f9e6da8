/**
 * Where two values of plain data differ, as a path of property names; undefined if they do not. A property that is undefined
 * is one that is not there. Quick: it is asked for every message of every history.
 */
export function differenceOf(one: unknown, other: unknown, at = ''): string | undefined {
  if (Object.is(one, other)) return undefined;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return at || 'all of it';
  if (one instanceof Uint8Array) {
    return other instanceof Uint8Array && Buffer.compare(one, other) === 0 ? undefined : at || 'all of it';
  }
  const left = one as Record<string, unknown>;
  const right = other as Record<string, unknown>;
  for (const name in left) {
    const difference = differenceOf(left[name], right[name], `${at}/${name}`);
    if (difference !== undefined) return difference;
  }
  for (const name in right) if (right[name] !== undefined && left[name] === undefined) return `${at}/${name}`;
  return undefined;
}
