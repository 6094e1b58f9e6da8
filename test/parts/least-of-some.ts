/**
 * The least of what `measure` returns, which is called again until that is below `bound`, `times` times at most. For a
 * duration: on a machine that has other things to do as well, the shortest of some says what the code needs.
 */
export async function leastOfSome(bound: number, times: number, measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < times && least >= bound; time++) least = Math.min(least, await measure());
  return least;
}
