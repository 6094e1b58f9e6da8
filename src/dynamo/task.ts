/**
 * A computation that waits: a generator that yields what it waits for. Coordinators are written as tasks, not as async
 * functions, because a task takes no turn of the event loop and no microtask of its own: it runs whole within the event
 * that resumes it, so a simulation replays it exactly and without draining queues.
 */
export type Task<T> = Generator<Start, T, never>;

/** Starts something and is told its result; calls `resume` once, never within the call. */
type Start = (resume: (value: never) => void) => void;

/** Waits for one result: `const replies = yield* wait<Reply[]>((resume) => ...)`. */
export function* wait<T>(start: (resume: (value: T) => void) => void): Task<T> {
  return (yield start as Start) as T;
}

/** Runs a task to its end; `done` may be called within this call if the task never waits. */
export function runTask<T>(task: Task<T>, done: (value: T) => void): void {
  const step = (value: never): void => {
    const next = task.next(value);
    if (next.done === true) done(next.value);
    else next.value(step);
  };
  step(undefined as never);
}
