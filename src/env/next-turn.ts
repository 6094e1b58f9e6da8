/** Resolves when the event loop has been round: what else has happened meanwhile is served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
