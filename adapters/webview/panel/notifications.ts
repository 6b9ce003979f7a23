import type { Fields } from '../protocol/fields.js';

/** Who wants to hear of which notification. None of them disturbs another. */
export interface Notifications {
  /** Returns what unsubscribes. */
  on(method: string, listener: (params: Fields) => void): () => void;
  /** Whether anybody heard it. */
  tell(method: string, params: Fields): boolean;
}

export function createNotifications(): Notifications {
  const listeners = new Map<string, Set<(params: Fields) => void>>();
  return {
    on(method, listener) {
      const own = (params: Fields) => listener(params);
      const known = listeners.get(method) ?? new Set();
      listeners.set(method, known.add(own));
      return () => void known.delete(own);
    },
    tell(method, params) {
      const known = [...(listeners.get(method) ?? [])];
      for (const listener of known) {
        try {
          listener(params);
        } catch {
          // A listener's failure is its own.
        }
      }
      return known.length > 0;
    },
  };
}
