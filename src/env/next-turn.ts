/** Resolves in the next turn of the event loop, after whatever else has been waiting was served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
