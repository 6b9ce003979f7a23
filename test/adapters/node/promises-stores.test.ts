// What the stores of this machine say and believe, part by part. Each row was once a line that could be changed
// without a test noticing (npm run mutate).
import { resolve } from 'node:path';
import { createFileStore } from '../../../adapters/node/file-store.js';
import {
  importSealingKey,
  parseSealed,
  seal,
  unseal,
} from '../../../adapters/node/sealed-record.js';
import { firstUsable } from '../../../adapters/web/store-list.js';
import { systemClock as clock } from '../../../adapters/web/system-clock.js';
import type { KeyValueStore } from '../../../src/ports/index.js';
import { memoryStore } from '../../../src/session/memory-store.js';

const RIGHTS = 'Give your user the right to read and write there.';
const OTHERS = 'Another program holds the file: look at virus scanners and file synchronisation.';

// prettier-ignore
test.each<[code: unknown, problem: string | undefined, named: string, advice: string]>([
  ['EACCES',        'unwritable', 'EACCES',  RIGHTS],
  ['EPERM',         'unwritable', 'EPERM',   RIGHTS],
  ['EBUSY',         'unwritable', 'EBUSY',   OTHERS],
  ['EDQUOT',        'full',       'EDQUOT',  'Your disk quota is used up.'],
  ['ELOOP',         'unwritable', 'ELOOP',   'Remove the link in the place of the file.'],
  ['ENOSPC',        'full',       'ENOSPC',  'Free some disk space.'],
  ['EROFS',         'unwritable', 'EROFS',   'Choose a folder that can be written.'],
  ['ENAMETOOLONG',  undefined,    'ENAMETOOLONG', 'Choose another.'],
])('a folder that fails with %s: the error says which, why, and what to do', async (code, problem, named, advice) => {
  const failure = Object.assign(new Error('quotes what it was to keep'), { code });
  const store = createFileStore('some-folder', async () => Promise.reject(failure));
  await expect(store.get('key')).rejects.toMatchObject({
    code: 'store_unavailable',
    details: problem === undefined ? {} : { problem },
    hint: `The folder ${resolve('some-folder')} cannot be used (${named}). ${advice}`,
  });
});

test('a file store has a name, and needs a folder', () => {
  const load = () => Promise.reject(new Error('not needed'));
  expect(createFileStore('some-folder', load).name).toBe('file');
  expect(() => createFileStore('', load)).toThrow(
    expect.objectContaining({
      code: 'configuration_error',
      details: { problem: 'fileStore needs a directory' },
    }),
  );
});

describe('a sealed record', () => {
  const text = 'what nobody else is to read';
  const bytesOfKey = () => new Uint8Array(32).fill(7);

  test('case 193: is opened under its own name, with its own key, as it is', async () => {
    const key = await importSealingKey(bytesOfKey());
    const record = parseSealed(await seal(key, 'account', text));
    expect(record).toMatchObject({ keyId: key.id });
    if (!record) return;
    expect(await unseal(key, 'account', record)).toBe(text);
    expect(await unseal(key, 'another', record)).toBeNull();
    const other = await importSealingKey(new Uint8Array(32).fill(8));
    expect(await unseal(other, 'account', record)).toBeNull();
    const sealed = record.sealed.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
    expect(await unseal(key, 'account', { ...record, sealed })).toBeNull();
  });

  test('case 193: the key is wiped where it was, cannot be read out, and is named by a digest', async () => {
    const bytes = bytesOfKey();
    const { id, key } = await importSealingKey(bytes);
    expect([...bytes]).toEqual(new Array(32).fill(0));
    expect(key.extractable).toBe(false);
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    const plain = await globalThis.crypto.subtle.digest('SHA-256', bytesOfKey());
    expect(id).not.toBe(Buffer.from(plain).toString('hex', 0, 8));
  });

  const keyId = '0123456789abcdef';
  const nonce = 'n'.repeat(16);
  const sealed = 's'.repeat(22);
  // prettier-ignore
  test.each<[name: string, text: string]>([
    ['something before it',    `x mortise-sealed-1:${keyId}:${nonce}:${sealed}`],
    ['something after it',     `mortise-sealed-1:${keyId}:${nonce}:${sealed} x`],
    ['a line after it',        `mortise-sealed-1:${keyId}:${nonce}:${sealed}\n`],
    ['another format',         `mortise-sealed-2:${keyId}:${nonce}:${sealed}`],
    ['a short nonce',          `mortise-sealed-1:${keyId}:${nonce.slice(1)}:${sealed}`],
    ['less than its tag',      `mortise-sealed-1:${keyId}:${nonce}:${sealed.slice(1)}`],
    ['no key',                 `mortise-sealed-1::${nonce}:${sealed}`],
    ['nothing in it',          ''],
  ])('with %s is none', (_, given) => {
    expect(parseSealed(given)).toBeNull();
    expect(parseSealed(`mortise-sealed-1:${keyId}:${nonce}:${sealed}`)).not.toBeNull();
  });
});

describe('a list of stores', () => {
  test('is tried under a key of its own, which is gone afterwards, and marks only what comes later', async () => {
    const told: string[] = [];
    const watched = (name: string): KeyValueStore => {
      const store = memoryStore();
      return {
        ...store,
        name,
        set: (key, value) => {
          told.push(`${name}: ${key.replace(/\d+(-\d+)+$/, 'numbers')} = ${value}`);
          return store.set(key, value);
        },
      };
    };
    const [first, second] = [watched('first'), watched('second')];
    const store = firstUsable([first, second], { clock });
    await store.set('key', 'value');
    expect(told).toEqual([
      'first: mortise/1-trial/numbers = trial',
      'second: mortise/1-in-use/["first",null] = in use',
      'first: key = value',
    ]);
    expect(store.name).toBe('first');
  });

  test('one that does not give back what was saved is not used', async () => {
    const forgetful = (): KeyValueStore => ({ ...memoryStore(), set: async () => {} });
    const store = firstUsable([forgetful(), forgetful()], { clock });
    await expect(store.set('key', 'value')).rejects.toMatchObject({
      code: 'store_unavailable',
      details: { problem: 'refused' },
    });
  });
});
