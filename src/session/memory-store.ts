import type { KeyValueStore } from '../ports/index.js';

/** Keeps sessions until the process or page ends. */
export function memoryStore(): KeyValueStore {
  const values = new Map<string, string>();
  const watchers = new Map<string, Set<() => void>>();
  const tell = (key: string) => {
    for (const changed of [...(watchers.get(key) ?? [])]) changed();
  };
  return {
    name: 'memory',
    place: null,
    get: async (key) => values.get(key) ?? null,
    set: async (key, value) => {
      values.set(key, value);
      tell(key);
    },
    remove: async (key) => {
      if (values.delete(key)) tell(key);
    },
    watch(key, changed) {
      const own = () => changed();
      const set = watchers.get(key) ?? new Set();
      watchers.set(key, set.add(own));
      return () => void set.delete(own);
    },
  };
}
