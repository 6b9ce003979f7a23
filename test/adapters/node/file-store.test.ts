import { fork } from 'node:child_process';
import { unwatchFile, watchFile } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createFileStore, fileStore } from '../../../adapters/node/file-store.js';
import { describeKeyValueStore } from '../../support/key-value-store-contract.js';
import { compileInto } from '../../support/keyring-process.js';

let root: string;
let directory: string;
beforeEach(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'mortise-'));
  directory = join(root, 'vendor', 'plug-in');
});
afterEach(() => fs.rm(root, { recursive: true, force: true }));

const files = async () => (await fs.readdir(directory)).sort();
const modeOf = async (path: string) => ((await fs.lstat(path)).mode & 0o777).toString(8);
const onlyFile = async () => join(directory, (await files())[0] ?? '');
const failing = (code: string) => async () => {
  throw Object.assign(new Error(`${code}: secret-value`), { code });
};

/** A store whose file system is the real one, but for what is given. */
const storeOn = (changes: object) =>
  createFileStore(directory, async () => ({ ...fs, ...changes }) as typeof fs);

describeKeyValueStore(
  'fileStore',
  () => fileStore({ directory }),
  () => fileStore({ directory }),
);

describe('fileStore: names', () => {
  test('hold on every file system, Windows included', async () => {
    const store = fileStore({ directory });
    const keys = ['CON', 'con.x', 'NUL', 'a', 'A', '..', '', 'ż', 'a:b|c?*"<>', 'k'.repeat(1_000)];
    for (const key of keys) await store.set(key, key);
    const names = await files();
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(keys.length);
    for (const name of names) {
      expect(name).toMatch(/^[a-z0-9-]+\.txt$/);
      expect(name.split('.')[0]).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)$/);
      expect(`${name}.0123456789abcdef.tmp`.length).toBeLessThanOrEqual(120);
    }
  });

  test('case 196: the folder is the author’s choice, made absolute at once', async () => {
    expect(() => fileStore({ directory: '' })).toThrow(
      expect.objectContaining({ code: 'configuration_error' }),
    );
    const before = process.cwd();
    try {
      process.chdir(root);
      const store = fileStore({ directory: 'vendor/plug-in' });
      process.chdir(before);
      await store.set('a', 'one');
    } finally {
      process.chdir(before);
    }
    expect(await files()).toHaveLength(1);
  });

  test('case 196: the place is the folder, in one case where cases do not tell folders apart', () => {
    const { platform } = process;
    const placeOn = (value: string) => {
      Object.defineProperty(process, 'platform', { value });
      return fileStore({ directory: join(root, 'Plug-In', '.') }).place;
    };
    try {
      expect(placeOn('linux')).toBe(join(root, 'Plug-In'));
      expect(placeOn('win32')).toBe(join(root, 'Plug-In').toLowerCase());
    } finally {
      Object.defineProperty(process, 'platform', { value: platform });
    }
  });

  test('reading and removing make no folder', async () => {
    const store = fileStore({ directory });
    expect(await store.get('a')).toBeNull();
    await store.remove('a');
    await expect(fs.lstat(dirname(directory))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('two stores on one folder see the same', async () => {
    await fileStore({ directory }).set('a', 'one');
    expect(await fileStore({ directory: `${directory}/.` }).get('a')).toBe('one');
  });
});

const onPosix = process.platform === 'win32' ? describe.skip : describe;

onPosix('fileStore: modes', () => {
  test('case 183: file 0600 and folder 0700 under umask 000', async () => {
    const before = process.umask(0);
    try {
      await fileStore({ directory }).set('a', 'one');
    } finally {
      process.umask(before);
    }
    expect(await modeOf(await onlyFile())).toBe('600');
    expect(await modeOf(directory)).toBe('700');
    expect(await modeOf(dirname(directory))).toBe('700');
  });

  test.each(['get', 'set'] as const)('case 183: %s tightens a file of 0644', async (way) => {
    const store = fileStore({ directory });
    await store.set('a', 'one');
    await fs.chmod(await onlyFile(), 0o644);
    if (way === 'get') expect(await store.get('a')).toBe('one');
    else await store.set('a', 'two');
    expect(await modeOf(await onlyFile())).toBe('600');
  });

  test.each([0o755, 0o777, 0o770])('case 183: tightens a folder of %i', async (mode) => {
    await fs.mkdir(directory, { recursive: true });
    await fs.chmod(directory, mode);
    await fileStore({ directory }).set('a', 'one');
    expect(await modeOf(directory)).toBe('700');
  });

  test('case 185: refuses a folder that is a link', async () => {
    await fs.mkdir(join(root, 'elsewhere'), { mode: 0o700 });
    directory = join(root, 'link');
    await fs.symlink(join(root, 'elsewhere'), directory);
    const store = fileStore({ directory: `${directory}/` });
    for (const call of [store.get('a'), store.set('a', 'one'), store.remove('a')]) {
      await expect(call).rejects.toMatchObject({
        code: 'store_unavailable',
        hint: expect.stringContaining('is a link'),
        retryable: false,
      });
    }
    expect(await fs.readdir(join(root, 'elsewhere'))).toEqual([]);
  });

  test('case 185: refuses a folder of another user', async () => {
    const lstat = async (path: string) => Object.assign(await fs.lstat(path), { uid: 4_242 });
    await fs.mkdir(directory, { recursive: true });
    await expect(storeOn({ lstat }).set('a', 'one')).rejects.toMatchObject({
      code: 'store_unavailable',
      hint: expect.stringContaining('belongs to another user'),
    });
  });

  test.each([
    ['cannot be tightened', failing('EPERM')],
    ['only says that it was tightened', async () => {}],
  ])('case 185: refuses a world-writable folder that %s', async (_, chmod) => {
    await fs.mkdir(directory, { recursive: true });
    await fs.chmod(directory, 0o777);
    await expect(storeOn({ chmod }).set('a', 'one')).rejects.toMatchObject({
      code: 'store_unavailable',
      hint: expect.stringContaining('can be changed by other users'),
    });
    expect(await files()).toEqual([]);
  });

  test('case 185: refuses a file in the place of the folder', async () => {
    await fs.writeFile(join(root, 'file'), '');
    directory = join(root, 'file');
    await expect(fileStore({ directory }).get('a')).rejects.toMatchObject({
      hint: expect.stringContaining('is not a folder'),
    });
  });

  test('does not follow a link in the place of a file, and a save replaces it', async () => {
    const store = fileStore({ directory });
    await store.set('a', 'one');
    const file = await onlyFile();
    const other = join(root, 'other');
    await fs.writeFile(other, 'of somebody else', { mode: 0o644 });
    await fs.rm(file);
    await fs.symlink(other, file);
    await expect(store.get('a')).rejects.toMatchObject({
      code: 'store_unavailable',
      hint: expect.stringContaining('ELOOP'),
    });
    await store.set('a', 'two');
    expect(await store.get('a')).toBe('two');
    expect(await fs.readFile(other, 'utf8')).toBe('of somebody else');
    expect(await modeOf(other)).toBe('644');
  });
});

describe('fileStore: damage', () => {
  // Empty and truncated files are still text: whether they are a session is for the core to say.
  test.each([
    ['NUL-filled', Buffer.alloc(100)],
    ['random bytes', Buffer.from([0xde, 0xad, 0xff, 0xfe])],
    ['cut amid a character', Buffer.from('secret-€').subarray(0, -1)],
    ['more than 1 MiB', Buffer.alloc(1024 * 1024 + 1, 'x')],
  ])('case 187: %s is set aside', async (_, content) => {
    const store = fileStore({ directory });
    await store.set('a', 'one');
    const file = await onlyFile();
    await fs.writeFile(file, content);
    const error = await store.get('a').catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'store_damaged', details: {} });
    expect(await files()).toEqual([`${basename(file)}.damaged`]);
    expect(await store.get('a')).toBeNull();
    await store.set('a', 'again');
    expect(await store.get('a')).toBe('again');
    await store.remove('a');
    expect(await files()).toEqual([]); // what was set aside held a secret as well
  });

  test.each(['a\0b', '\ud800', 'x'.repeat(1024 * 1024 + 1)])(
    'refuses at once what it could not read back',
    async (value) => {
      const store = fileStore({ directory });
      await store.set('a', 'one');
      await expect(store.set('a', value)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await store.get('a')).toBe('one');
    },
  );
});

describe('fileStore: failures', () => {
  // prettier-ignore
  test.each([
    ['EACCES', { problem: 'unwritable' }],
    ['EROFS',  { problem: 'unwritable' }],
    ['ENOSPC', { problem: 'full' }],
    ['EDQUOT', { problem: 'full' }],
    ['EIO',    {}],
    ['EMFILE', {}],
  ])(
    'case 125: a failed save (%s) names the code, keeps the old value, leaves nothing',
    async (code, details) => {
      await fileStore({ directory }).set('a', 'one');
      const open = async (path: string, ...rest: [string, number]) => {
        const handle = await fs.open(path, ...rest);
        if (rest[0] === 'wx') handle.writeFile = failing(code);
        return handle;
      };
      const error = await storeOn({ open })
        .set('a', 'secret-value')
        .catch((error: unknown) => error);
      expect(error).toMatchObject({
        code: 'store_unavailable',
        hint: expect.stringContaining(`(${code})`),
      });
      expect(error).toHaveProperty('details', details);
      expect(error).not.toHaveProperty('cause');
      expect(JSON.stringify([error, String(error)])).not.toContain('secret-value');
      expect(await files()).toHaveLength(1);
      expect(await fileStore({ directory }).get('a')).toBe('one');
    },
  );

  test('a read that is not allowed says so, and is no loss', async () => {
    await fileStore({ directory }).set('a', 'one');
    await expect(storeOn({ open: failing('EACCES') }).get('a')).rejects.toMatchObject({
      code: 'store_unavailable',
      hint: expect.stringContaining('(EACCES)'),
    });
    expect(await fileStore({ directory }).get('a')).toBe('one');
  });

  test('a failure without a code is not quoted', async () => {
    const error = await storeOn({ readdir: failing('EIO'), rename: failing('secret code') })
      .set('a', 'one')
      .catch((error: unknown) => error);
    expect(error).toMatchObject({ hint: expect.stringContaining('(unknown)') });
    expect(await files()).toEqual([]);
  });

  test.each(['EPERM', 'EBUSY', 'EACCES'])('case 189: tries a rename again on %s', async (code) => {
    let refusals = 3;
    const rename = (from: string, to: string) =>
      refusals-- > 0 ? failing(code)() : fs.rename(from, to);
    const store = storeOn({ rename });
    await store.set('a', 'one');
    expect(await store.get('a')).toBe('one');
    expect(await files()).toHaveLength(1);
  });

  test('case 189: gives up in bounded time', async () => {
    const rename = jest.fn(failing('EBUSY'));
    await expect(storeOn({ rename }).set('a', 'one')).rejects.toMatchObject({
      code: 'store_unavailable',
      hint: expect.stringContaining('(EBUSY)'),
    });
    expect(rename.mock.calls.length).toBe(7);
    expect(await files()).toEqual([]);
  });

  test('a folder that cannot be flushed (Windows) is no failure; one that fails to is', async () => {
    const flushing = (code: string) => ({
      open: (path: string, ...rest: [string, number]) =>
        path === directory ? failing(code)() : fs.open(path, ...rest),
    });
    await storeOn(flushing('EPERM')).set('a', 'one');
    await expect(storeOn(flushing('EIO')).set('a', 'two')).rejects.toMatchObject({
      hint: expect.stringContaining('(EIO)'),
    });
  });

  test('one operation that fails does not stop the next', async () => {
    let first = true;
    const rename = (from: string, to: string) => {
      if (!first) return fs.rename(from, to);
      first = false;
      return failing('EIO')();
    };
    const store = storeOn({ rename });
    const failed = store.set('a', 'one');
    const fine = store.set('a', 'two');
    await expect(failed).rejects.toMatchObject({ code: 'store_unavailable' });
    await fine;
    expect(await store.get('a')).toBe('two');
  });

  test('clears what killed processes left, and nothing else', async () => {
    const store = fileStore({ directory });
    await store.set('a', 'one');
    const name = basename(await onlyFile());
    const stale = `${name}.0123456789abcdef.tmp`;
    const fresh = `${name}.fedcba9876543210.tmp`;
    for (const left of [stale, fresh, 'of-somebody.tmp']) {
      await fs.writeFile(join(directory, left), 'secret');
    }
    const hoursAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
    await fs.utimes(join(directory, stale), hoursAgo, hoursAgo);
    await fs.utimes(join(directory, 'of-somebody.tmp'), hoursAgo, hoursAgo);
    await store.set('b', 'two');
    const names = await files();
    expect(names).not.toContain(stale);
    expect(names).toEqual(expect.arrayContaining([name, fresh, 'of-somebody.tmp']));
  });
});

test('what is removed is gone, with what a save that was killed has left of it', async () => {
  const store = fileStore({ directory });
  await store.set('a', 'one');
  const name = basename(await onlyFile());
  await store.set('b', 'two');
  const [other = ''] = (await files()).filter((each) => each !== name);
  const left = ['0123456789abcdef', 'fedcba9876543210'].map((id) => `${name}.${id}.tmp`);
  const others = `${other}.0123456789abcdef.tmp`;
  const justNow = `${name}.00112233aabbccdd.tmp`;
  const before = new Date(Date.now() - 15_000);
  for (const each of [...left, others, justNow]) {
    await fs.writeFile(join(directory, each), 'secret');
    if (each !== justNow) await fs.utimes(join(directory, each), before, before);
  }
  await store.remove('a');
  // A save that may still be under way is left to end.
  expect((await files()).sort()).toEqual([other, others, justNow].sort());
});

describe('fileStore: watching', () => {
  test('keeps no process alive, and what has ended is told no more', async () => {
    await compileInto(join(root, 'js'), 'adapters/node/file-store.ts');
    await fs.writeFile(join(root, 'js', 'package.json'), '{"type":"module"}');
    const watcher = join(root, 'js', 'watcher.js');
    const code = `
      import { fileStore } from './adapters/node/file-store.js';
      const store = fileStore({ directory: process.argv[2] });
      store.watch('never ended', () => {});
      store.watch('ended at once', () => process.exit(1))();
      await store.set('a', 'one');`;
    await fs.writeFile(watcher, code);
    const child = fork(watcher, [directory]);
    const tooLong = setTimeout(() => child.kill('SIGKILL'), 10_000);
    expect(await new Promise((done) => child.once('exit', done))).toBe(0);
    clearTimeout(tooLong);
  });

  test('leaves the watchers of others alone', async () => {
    await fileStore({ directory }).set('a', 'one');
    const file = await onlyFile();
    const own = jest.fn();
    watchFile(file, { persistent: false, interval: 50 }, own);
    try {
      const told = await new Promise<() => void>((done) => {
        const end = fileStore({ directory }).watch('a', () => done(() => end()));
      });
      told();
      await fs.writeFile(file, 'changed');
      await new Promise((done) => setTimeout(done, 500));
      expect(own).toHaveBeenCalled();
    } finally {
      unwatchFile(file, own);
    }
  });

  test('a file system that cannot be looked at is no failure of the watcher', async () => {
    const end = storeOn({ stat: failing('EIO') }).watch('a', () => {});
    await new Promise((done) => setTimeout(done, 50));
    end();
    end();
  });
});

describe('fileStore: a process that is killed', () => {
  async function writeSaver(): Promise<string> {
    await compileInto(join(root, 'js'), 'adapters/node/file-store.ts');
    await fs.writeFile(join(root, 'js', 'package.json'), '{"type":"module"}');
    const saver = join(root, 'js', 'saver.js');
    const code = `
      import { fileStore } from './adapters/node/file-store.js';
      const [directory, first] = process.argv.slice(2);
      const store = fileStore({ directory });
      for (let n = Number(first); ; n += 1) {
        await store.set('a', JSON.stringify({ n, filling: String(n).repeat(3_000) }));
        process.send(n);
      }`;
    await fs.writeFile(saver, code);
    return saver;
  }

  /** Lets a child save, kills it at some moment, and gives the last value it was told is durable. */
  async function saveUntilKilled(saver: string, folder: string, first: number): Promise<number> {
    const child = fork(saver, [folder, String(first)]);
    let saved = first - 1;
    const gone = new Promise((done) => child.once('exit', done));
    await new Promise<void>((started) => {
      child.on('message', (n) => {
        saved = Number(n);
        started();
      });
    });
    await new Promise((done) => setTimeout(done, Math.random() * 20));
    child.kill('SIGKILL');
    await gone;
    return saved;
  }

  test('case 186: leaves the old value or the new one, 40 times', async () => {
    const saver = await writeSaver();
    const lane = async (name: string) => {
      const folder = join(directory, name);
      let next = 1;
      for (let kill = 0; kill < 10; kill += 1) {
        const saved = await saveUntilKilled(saver, folder, next);
        const { n, filling } = JSON.parse((await fileStore({ directory: folder }).get('a')) ?? '');
        expect(filling).toBe(String(n).repeat(3_000));
        expect([saved, saved + 1]).toContain(n);
        next = n + 1;
      }
    };
    await Promise.all(['1', '2', '3', '4'].map(lane));
  }, 30_000);
});
