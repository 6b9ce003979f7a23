import type { Clock, Lock } from '../../src/ports/index.js';

/** A lock among the callers inside this one process or page, first come, first served. */
export function createLocalLock(clock: Clock): Lock {
  /** Who waits for each lock that is held, oldest first. No entry: free. */
  const queues = new Map<string, Set<() => void>>();

  async function acquire(name: string, timeoutMs: number): Promise<boolean> {
    const queue = queues.get(name);
    if (!queue) {
      queues.set(name, new Set());
      return true;
    }
    return new Promise((resolve) => {
      const cancel = clock.after(timeoutMs, () => {
        queue.delete(takeTurn);
        resolve(false);
      });
      const takeTurn = () => {
        cancel();
        queue.delete(takeTurn);
        resolve(true);
      };
      queue.add(takeTurn);
    });
  }

  function release(name: string): void {
    const [takeTurn] = queues.get(name) ?? [];
    if (takeTurn) takeTurn();
    else queues.delete(name);
  }

  return async (name, timeoutMs, task) => {
    const held = await acquire(name, timeoutMs);
    try {
      return await task(held);
    } finally {
      if (held) release(name);
    }
  };
}
