/**
 * Where sessions rest between runs of the host application.
 *
 * Values are opaque text that holds secrets: choose a store whose own protection suits a refresh
 * token. A store that cannot be used rejects; the core says `store_unavailable`.
 */
export interface KeyValueStore {
  /** Resolves with `null` when the key was never set or has been removed. */
  get(key: string): Promise<string | null>;
  /** Replaces any earlier value; durable once the promise resolves. */
  set(key: string, value: string): Promise<void>;
  /** Succeeds when the key is absent. */
  remove(key: string): Promise<void>;
}
