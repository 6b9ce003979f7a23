// One store in a process of its own, that does what it is told over its channel. With it comes what only such
// a process can do: ask the real keychain, or fill a disk that is its own.
//
// node keyring-child.mjs, beside the compiled folders `adapters` and `src`
import { spawnSync } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { inspect } from 'node:util';

const { systemClock: clock } = await import('./adapters/web/system-clock.js');

/** For one process alone. */
const here = { clock, lock: (name, timeoutMs, task) => task(true) };

let store;
let entry;

/** A keychain that is only here, always open. */
function keychainInMemory() {
  const secrets = new Map();
  return {
    get: async (account) => secrets.get(account) ?? null,
    set: async (account, secret) => void secrets.set(account, secret),
    remove: async (account) => void secrets.delete(account),
  };
}

const kinds = {
  async file(options) {
    const { fileStore } = await import('./adapters/node/file-store.js');
    return fileStore(options);
  },
  async keyring({ timeoutMs, ...options }) {
    const { createKeyringStore, keyringStore } = await import('./adapters/node/keyring-store.js');
    if (timeoutMs === undefined) return keyringStore(options);
    const { systemKeychain } = await import('./adapters/node/keychain.js');
    const keychain = systemKeychain(options.service);
    return createKeyringStore({ ...options, ...here, keychain, timeoutMs });
  },
  async keyringInMemory(options) {
    const { createKeyringStore } = await import('./adapters/node/keyring-store.js');
    const keychain = keychainInMemory();
    return createKeyringStore({ ...options, ...here, keychain, timeoutMs: 1_000 });
  },
  async list({ stores }) {
    const { firstUsable } = await import('./adapters/web/store-list.js');
    return firstUsable(await Promise.all(stores.map(([kind, options]) => kinds[kind](options))));
  },
};

const orders = {
  async open(kind, options) {
    store = await kinds[kind](options);
    return { name: store.name, place: store.place };
  },
  get: (key) => store.get(key),
  set: (key, value) => store.set(key, value),
  remove: (key) => store.remove(key),
  name: async () => store.name,
  async watch(key) {
    store.watch(key, () => process.send({ changed: key }));
  },
  /** The keychain as every other program of this user sees it. */
  async entry(service, account) {
    const { AsyncEntry } = await import('@napi-rs/keyring');
    entry = new AsyncEntry(service, account, { linux: { store: 'secret-service' } });
  },
  entryGet: async () => (await entry.getPassword()) ?? null,
  entrySet: (secret) => entry.setPassword(secret),
  entryRemove: () => entry.deletePassword(),
  async fill(file) {
    await writeFile(file, Buffer.alloc(64 << 20)).catch((error) => {
      if (error.code !== 'ENOSPC') throw error;
    });
  },
  removeFile: (file) => rm(file),
  list: (folder) => readdir(folder, { recursive: true }),
  async remountReadOnly(folder) {
    const { status } = spawnSync('mount', ['-o', 'remount,ro', folder]);
    if (status !== 0) throw new Error('mount has failed');
  },
};

process.on('message', async ({ id, order, details }) => {
  try {
    process.send({ id, answer: (await orders[order](...details)) ?? null });
  } catch (error) {
    const { name, code, message, hint, retryable, details: told } = error;
    const shown = inspect(error, { depth: Infinity, showHidden: true });
    process.send({ id, error: { name, code, message, hint, retryable, details: told, shown } });
  }
});
process.send({ id: 0 });
