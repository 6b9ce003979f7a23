import type { Lock } from '../ports/index.js';

/**
 * The host's lock, so that its own failures change nothing: a task runs without it rather than not at all,
 * and settles as it does by itself. What the lock throws may say anything, and is dropped.
 */
export function createOwnLock(lock: Lock, tell: (held: boolean) => void = () => {}): Lock {
  return async (name, timeoutMs, task) => {
    let running: ReturnType<typeof task> | undefined;
    try {
      return await lock(name, timeoutMs, (held) => {
        tell(held);
        return (running = task(held));
      });
    } catch {
      if (!running) tell(false);
      return running ?? task(false);
    }
  };
}
