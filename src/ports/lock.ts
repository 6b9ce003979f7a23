/**
 * Lets one holder at a time run `task`, across everything that shares the store: calls, tabs or
 * processes, as far as the host can see.
 *
 * Waits at most `timeoutMs`, then runs `task` all the same with `held` false, because a lock that
 * blocks for ever is worse than none: who is told `held: false` relies on comparing versions before
 * writing. Settles as `task` does, and never fails by itself.
 */
export type Lock = <T>(
  name: string,
  timeoutMs: number,
  task: (held: boolean) => Promise<T>,
) => Promise<T>;
