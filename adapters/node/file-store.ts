import { join, resolve } from 'node:path';
import { MortiseError, type StoreProblem } from '../../src/errors.js';
import type { KeyValueStore } from '../../src/ports/index.js';
import { createTurns } from '../web/turns.js';
import {
  codeOf,
  flush,
  isPrivate,
  MAX_BYTES,
  patiently,
  readPrivately,
  refused,
  removeStale,
  replace,
} from './private-files.js';
import type { FileSystem } from './private-files.js';

export interface FileStoreOptions {
  /**
   * A folder for this plug-in alone, per user and per machine, such as `defaultDirectory('acme-scan')`. Made
   * when missing.
   */
  readonly directory: string;
}

type Advice = readonly [problem: StoreProblem, hint: string];

const NOT_ALLOWED: Advice = ['unwritable', 'Give your user the right to read and write there.'];

const ADVICE: Readonly<Record<string, Advice>> = {
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EBUSY: [
    'unwritable',
    'Another program holds the file: look at virus scanners and file synchronisation.',
  ],
  EDQUOT: ['full', 'Your disk quota is used up.'],
  ELOOP: ['unwritable', 'Remove the link in the place of the file.'],
  ENOSPC: ['full', 'Free some disk space.'],
  EROFS: ['unwritable', 'Choose a folder that can be written.'],
  ENOTDIR: ['unwritable', 'A file is in its way. Choose another.'],
};

/** How often a watched file is looked at: in time for the two seconds a store has to tell of a change. */
const WATCH_INTERVAL_MS = 1_000;

/** Tells its place and its changes, as not every store does. */
export type WatchedStore = KeyValueStore & Required<Pick<KeyValueStore, 'place' | 'watch'>>;

/**
 * One file per key, in the clear, readable by this user only.
 *
 * On POSIX the folder is kept at 0700 and its files at 0600, and a folder that others could tamper with is
 * refused. On Windows the access control list of the per-user folder is the protection: nothing is added to
 * it. Against other programs of the same user nothing here helps; a keyring may.
 */
export function fileStore({ directory }: FileStoreOptions): WatchedStore {
  return createFileStore(directory, () => import('node:fs/promises'));
}

/** {@link fileStore} on any file system; its test has one that misbehaves like Windows. */
export function createFileStore(path: string, load: () => Promise<FileSystem>): WatchedStore {
  if (!path)
    throw new MortiseError('configuration_error', { problem: 'fileStore needs a directory' });
  const directory = resolve(path);
  const turns = createTurns();

  /** One operation on a key after another, so that the last value set is the value kept. */
  const inTurn = <T>(key: string, task: (fs: FileSystem, file: string) => Promise<T>): Promise<T> =>
    turns(key, async () => {
      try {
        return await task(await load(), join(directory, await fileNameOf(key)));
      } catch (error) {
        throw error instanceof MortiseError ? error : unavailable(directory, error);
      }
    });

  return {
    name: 'file',
    place: process.platform === 'win32' ? directory.toLowerCase() : directory,
    get: (key) =>
      inTurn(key, async (fs, file) => {
        if (!(await isPrivate(fs, directory))) return null;
        const bytes = await readPrivately(fs, file);
        if (bytes === 'absent') return null;
        const text = bytes === 'oversized' ? null : decode(bytes);
        if (text !== null) return text;
        await fs.rename(file, `${file}.damaged`).catch(ignore);
        throw new MortiseError('store_damaged', {});
      }),
    set: (key, value) =>
      inTurn(key, async (fs, file) => {
        if (decode(Buffer.from(value)) !== value) {
          throw refused(
            'Only well-formed text of at most 1 MiB, without NUL, can be stored in a file.',
          );
        }
        if (!(await isPrivate(fs, directory))) {
          await fs.mkdir(directory, { recursive: true, mode: 0o700 });
          await isPrivate(fs, directory);
        }
        await removeStale(fs, directory);
        await replace(fs, file, value);
        await flush(fs, directory);
      }),
    remove: (key) =>
      inTurn(key, async (fs, file) => {
        if (!(await isPrivate(fs, directory))) return;
        await patiently(() => fs.rm(file, { force: true }));
        await patiently(() => fs.rm(`${file}.damaged`, { force: true }));
        await removeStale(fs, directory, file);
        await flush(fs, directory);
      }),
    watch(key, changed) {
      let isOver = false;
      let stop = ignore;
      const start = async () => {
        const [{ watchFile, unwatchFile }, fs, name] = await Promise.all([
          import('node:fs'),
          load(),
          fileNameOf(key),
        ]);
        if (isOver) return;
        const file = join(directory, name);
        const tell = () => {
          if (!isOver) changed();
        };
        // Asks again and again instead of being told, which a network drive would not do.
        watchFile(file, { persistent: false, interval: WATCH_INTERVAL_MS }, tell);
        stop = () => unwatchFile(file, tell);
        // What has changed before the first look at it.
        await fs.stat(file).catch(ignore);
        tell();
      };
      start().catch(ignore);
      return () => {
        isOver = true;
        stop();
      };
    },
  };
}

/** Readable, then unique: no case to fold, no dot to end a reserved name such as CON, 85 characters at most. */
async function fileNameOf(key: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  const readable = key
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  return `${readable}-${createHash('sha256').update(key).digest('hex').slice(0, 40)}.txt`;
}

function decode(bytes: Buffer): string | null {
  if (bytes.length > MAX_BYTES || bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function ignore(): void {}

function unavailable(directory: string, error: unknown): MortiseError {
  const code = codeOf(error);
  const [problem, advice] = ADVICE[code] ?? [null, 'Choose another.'];
  const hint = `The folder ${directory} cannot be used (${code}). ${advice}`;
  return new MortiseError('store_unavailable', problem ? { problem } : {}, { hint });
}
