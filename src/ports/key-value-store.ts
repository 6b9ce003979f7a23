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
  /** Finds out whether it could be written to now. Asked before a user is sent to sign in. */
  ready?(): Promise<void>;
  /** What a person may be told of it, such as `keyring`; of several stores in one, of that in use. */
  readonly name?: string;
  /**
   * Names the place, alike for everything that shares it, so that all of that shares one lock: a folder, say.
   * `null` where nobody else can. Left out, whoever has an account of the same name is taken for a sharer.
   */
  readonly place?: string | null;
  /**
   * Calls `changed` within two seconds of another process changing the value, perhaps also when nothing has
   * changed. Keeps no process alive. Returns what ends it. Left out, changes are noticed at the next use.
   */
  watch?(key: string, changed: () => void): () => void;
}
