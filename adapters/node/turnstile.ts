/**
 * Lets at most `limit` tasks run at once; the others wait, first come, first served. A program that asks
 * for a thousand things at once must not open a thousand sockets.
 */
export function createTurnstile(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async (task) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((pass) => waiting.push(pass));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
