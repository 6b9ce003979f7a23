import { join, resolve } from 'node:path';
import { MortiseError } from '../../src/errors.js';
import type { KeyValueStore } from '../../src/ports/index.js';
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
   * A folder for this plug-in alone, per user and per machine: below `%LOCALAPPDATA%` on Windows (not
   * `%APPDATA%`, which roams to other machines), `~/Library/Application Support` on macOS,
   * `$XDG_STATE_HOME` or `~/.local/state` elsewhere. Made when missing.
   */
  readonly directory: string;
}

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'Give your user the right to read and write there.',
  EPERM: 'Give your user the right to read and write there.',
  EBUSY: 'Another program holds the file: look at virus scanners and file synchronisation.',
  EDQUOT: 'Your disk quota is used up.',
  ELOOP: 'Remove the link in the place of the file.',
  ENOSPC: 'Free some disk space.',
  EROFS: 'Choose a folder that can be written.',
};

/**
 * One file per key, in the clear, readable by this user only.
 *
 * On POSIX the folder is kept at 0700 and its files at 0600, and a folder that others could tamper with is
 * refused. On Windows the access control list of the per-user folder is the protection: nothing is added to
 * it. Against other programs of the same user nothing here helps; a keyring may.
 */
export function fileStore({ directory }: FileStoreOptions): KeyValueStore {
  return createFileStore(directory, () => import('node:fs/promises'));
}

/** {@link fileStore} on any file system; its test has one that misbehaves like Windows. */
export function createFileStore(path: string, load: () => Promise<FileSystem>): KeyValueStore {
  if (!path)
    throw new MortiseError('configuration_error', { problem: 'fileStore needs a directory' });
  const directory = resolve(path);
  const turns = new Map<string, Promise<void>>();

  /** One operation on a key after another, so that the last value set is the value kept. */
  function inTurn<T>(key: string, task: (fs: FileSystem, file: string) => Promise<T>): Promise<T> {
    const run = async () => task(await load(), join(directory, await fileNameOf(key)));
    const turn = (turns.get(key) ?? Promise.resolve()).then(run).catch((error: unknown) => {
      throw error instanceof MortiseError ? error : unavailable(directory, error);
    });
    const settled = turn.then(ignore, ignore).then(() => {
      if (turns.get(key) === settled) turns.delete(key);
    });
    turns.set(key, settled);
    return turn;
  }

  return {
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
        await removeStale(fs, directory);
        await flush(fs, directory);
      }),
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
  const hint = `The folder ${directory} cannot be used (${code}). ${ADVICE[code] ?? 'Choose another.'}`;
  return new MortiseError('store_unavailable', {}, { hint });
}
