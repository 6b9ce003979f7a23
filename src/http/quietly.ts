/**
 * A listener that disturbs nobody: what it throws, now or in a promise, is its author's business. An unhandled
 * rejection would end the host application.
 */
export function quietly<Args extends readonly unknown[]>(
  listener: (...args: Args) => unknown,
): (...args: Args) => void {
  return (...args) => {
    try {
      const result = listener(...args);
      if (result) Promise.resolve(result).catch(() => {});
    } catch {
      // Nowhere to report it.
    }
  };
}
