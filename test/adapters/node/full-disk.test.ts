import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildStoreProgram } from '../../support/keyring-process.js';
import type { StoreProcess, StoreProgram, ToldError } from '../../support/keyring-process.js';
import { describeOnSmallDisk, smallDisk } from '../../support/keyring-session.js';

const SECRET = 'refresh-token-of-nobody-0123456789';

describeOnSmallDisk('a disk of 256 KB', () => {
  let program: StoreProgram;
  let disk: string;
  beforeAll(async () => {
    program = await buildStoreProgram();
  });
  afterAll(() => program.remove());
  beforeEach(async () => {
    disk = await fs.mkdtemp(join(tmpdir(), 'mortise-disk-'));
  });
  afterEach(() => fs.rm(disk, { recursive: true, force: true }));

  const failure = (promise: Promise<unknown>): Promise<ToldError> =>
    promise.then(
      () => Promise.reject(new Error('it did not fail')),
      (error: ToldError) => error,
    );

  describe.each(['file', 'keyringInMemory'])('%s', (kind) => {
    let store: StoreProcess;
    beforeEach(async () => {
      store = await program.start({}, smallDisk(disk));
      const directory = join(disk, 'acme-scan');
      await store.open(kind, { service: 'acme-scan', directory });
      await store.set('a', 'the old value');
    });
    afterEach(() => store.end());

    test('case 125: full, it says so, keeps the old value, and leaves nothing half written', async () => {
      const before = await store.tell('list', disk);
      await store.tell('fill', join(disk, 'filling'));
      for (const [key, value] of [
        ['a', SECRET.repeat(1_000)],
        ['b', SECRET],
      ] as const) {
        const error = await failure(store.set(key, value));
        expect(error).toMatchObject({ code: 'store_unavailable', details: { problem: 'full' } });
        expect(error.hint).toContain('Free some disk space.');
        expect(error.shown).not.toContain(SECRET);
      }
      expect(await store.get('a')).toBe('the old value');
      expect(await store.get('b')).toBeNull();
      await store.tell('removeFile', join(disk, 'filling'));
      expect(await store.tell('list', disk)).toEqual(before);
      await store.set('a', SECRET.repeat(1_000));
      expect(await store.get('a')).toBe(SECRET.repeat(1_000));
    });

    test('case 125: full, a sign-out is possible all the same', async () => {
      await store.tell('fill', join(disk, 'filling'));
      await store.remove('a');
      expect(await store.get('a')).toBeNull();
    });

    test('case 125: read-only, it says so and keeps the old value', async () => {
      const before = await store.tell('list', disk);
      await store.tell('remountReadOnly', disk);
      for (const call of [store.set('a', SECRET), store.set('b', SECRET), store.remove('a')]) {
        const error = await failure(call);
        expect(error).toMatchObject({
          code: 'store_unavailable',
          details: { problem: 'unwritable' },
        });
        expect(error.hint).toContain('(EROFS)');
        expect(error.shown).not.toContain(SECRET);
      }
      expect(await store.get('a')).toBe('the old value');
      await store.remove('never there');
      expect(await store.tell('list', disk)).toEqual(before);
    });
  });
});
