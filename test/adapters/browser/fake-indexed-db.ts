// As much of IndexedDB as the functions of idb-keyval use, for what no real engine does when it is told to: a connection
// that is gone, an opening that never ends, a disk that is full.

type Kept = Map<string, unknown>;

export interface FakeIndexedDb {
  /** Takes the place of `globalThis.indexedDB`. */
  readonly factory: { open(name: string): unknown };
  readonly databases: Map<string, Kept>;
  /** How many connections were opened. */
  readonly opened: number;
  /** How many were opened and not closed. */
  readonly open: number;
  /** The browser closes all connections; whether it says so is up to it. */
  closeAll(how: 'told' | 'silently'): void;
  /** Somebody deletes the databases. */
  clear(): void;
  /**
   * The next transactions of this kind fail with an error of this name: by a request, whose event reaches the transaction
   * before that knows why (Firefox, for a full disk), or when all is to be kept (Chromium).
   */
  fail(mode: IDBTransactionMode, name: string, times?: number, at?: 'request' | 'commit'): void;
  /** Opening fails with an error of this name, at once or later; `never`: it does not end. */
  failToOpen(how: 'throws' | 'fails' | 'never', name?: string): void;
  /** How many wait for an opening that does not end. */
  readonly hanging: number;
  /** Opening works again. */
  openAgain(): void;
  /** What was left hanging by `never` ends after all. */
  resume(): void;
  /** Called before each transaction. */
  onTransaction: (mode: IDBTransactionMode, nth: number) => void;
}

const failure = (name: string) => new DOMException('as asked for', name);

interface Transaction {
  error: unknown;
  oncomplete?: () => void;
  onabort?: () => void;
  onerror?: () => void;
  addEventListener(type: 'error', heard: (event: { target: Request }) => void): void;
}

interface Request {
  result?: unknown;
  error?: unknown;
  onsuccess?: () => void;
  onerror?: () => void;
  onupgradeneeded?: () => void;
}

export function createFakeIndexedDb(): FakeIndexedDb {
  const databases = new Map<string, Kept>();
  const connections = new Set<{
    onclose?: () => void;
    onversionchange?: () => void;
    close(): void;
  }>();
  const failing: { mode: IDBTransactionMode; name: string; times: number; at: string }[] = [];
  let opening: { how: 'throws' | 'fails' | 'never'; name: string } | null = null;
  let hanging: (() => void)[] = [];
  let opened = 0;
  let transactions = 0;

  const later = (callback: () => unknown) => void setImmediate(callback);

  const begin = (kept: Kept, mode: IDBTransactionMode) => {
    transactions += 1;
    fake.onTransaction(mode, transactions);
    const fault = failing.find((each) => each.mode === mode && each.times > 0);
    if (fault) fault.times -= 1;
    let hear: (event: { target: Request }) => void = () => {};
    const transaction: Transaction = {
      error: null,
      addEventListener: (_, heard) => void (hear = heard),
    };
    const answer = (result: unknown): Request => {
      const request: Request = { result };
      const isRefused = fault?.at === 'request';
      if (isRefused) request.error = failure(fault.name);
      later(() => {
        if (!isRefused) return request.onsuccess?.();
        request.onerror?.();
        hear({ target: request });
        return transaction.onerror?.();
      });
      return request;
    };
    // After what its requests have led to.
    later(() =>
      later(() => {
        if (!fault) return transaction.oncomplete?.();
        transaction.error = failure(fault.name);
        return transaction.onabort?.();
      }),
    );
    const objectStore = {
      transaction,
      get: (key: string) => answer(kept.get(key)),
      put: (value: unknown, key: string) => {
        if (!fault) kept.set(key, value);
        return answer(key);
      },
      delete: (key: string) => {
        if (!fault) kept.delete(key);
        return answer(undefined);
      },
    };
    return Object.assign(transaction, { objectStore: () => objectStore });
  };

  const connect = (name: string) => {
    const kept: Kept = databases.get(name) ?? new Map<string, unknown>();
    databases.set(name, kept);
    const connection = {
      createObjectStore: () => {},
      transaction(_: string, mode: IDBTransactionMode) {
        if (!connections.has(connection)) throw failure('InvalidStateError');
        return begin(databases.get(name) ?? kept, mode);
      },
      close: () => void connections.delete(connection),
    };
    connections.add(connection);
    opened += 1;
    return connection;
  };

  const fake = {
    factory: {
      open(name: string) {
        const fault = opening;
        if (fault?.how === 'throws') throw failure(fault.name);
        const request: Request = {};
        const finish = () => {
          if (fault?.how === 'fails') {
            request.error = failure(fault.name);
            return request.onerror?.();
          }
          const isNew = !databases.has(name);
          request.result = connect(name);
          if (isNew) request.onupgradeneeded?.();
          return request.onsuccess?.();
        };
        if (fault?.how === 'never') hanging.push(finish);
        else later(finish);
        return request;
      },
    },
    databases,
    get opened() {
      return opened;
    },
    get open() {
      return connections.size;
    },
    closeAll(how: 'told' | 'silently') {
      for (const connection of [...connections]) {
        connections.delete(connection);
        if (how === 'told') connection.onclose?.();
      }
    },
    clear() {
      for (const connection of [...connections]) connection.onversionchange?.();
      databases.clear();
    },
    fail: (mode: IDBTransactionMode, name: string, times = Infinity, at = 'request') =>
      void failing.push({ mode, name, times, at }),
    failToOpen: (how: 'throws' | 'fails' | 'never', name = 'UnknownError') =>
      void (opening = { how, name }),
    get hanging() {
      return hanging.length;
    },
    openAgain: () => void (opening = null),
    resume() {
      opening = null;
      for (const finish of hanging) finish();
      hanging = [];
    },
    onTransaction: (() => {}) as FakeIndexedDb['onTransaction'],
  };
  return fake;
}
