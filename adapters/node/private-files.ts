import { join } from 'node:path';
import { MortiseError, type StoreProblem } from '../../src/errors.js';

export type FileSystem = typeof import('node:fs/promises');

/** A session is a few kilobytes; what is longer was not written by us. */
export const MAX_BYTES = 1024 * 1024;

/** No save takes this long: its process is gone. */
const STALE_AFTER_MS = 60 * 60 * 1000;

/** Nor, but on a very slow disk, this long: while the file is removed, what is younger may be a save under way. */
const SAVE_MS = 10_000;

/** Two thirds of a second in all: how long a virus scanner on Windows holds on to a new file. */
const RETRY_DELAYS_MS = [10, 20, 40, 80, 160, 320];

/** Errors by which a system says that a folder cannot be flushed, as Windows does. */
const CANNOT_FLUSH = ['EPERM', 'EACCES', 'EISDIR', 'EINVAL', 'EBADF', 'ENOTSUP'];

/** Makes the folder this user's alone where it has to; false when there is none. */
export async function isPrivate(fs: FileSystem, directory: string): Promise<boolean> {
  const found = await fs.lstat(directory).catch(unlessAbsent);
  if (!found) return false;
  const refuse = (problem: string) =>
    refused(`The folder ${directory} ${problem}. Choose another.`, 'unwritable');
  if (found.isSymbolicLink()) throw refuse('is a link');
  if (!found.isDirectory()) throw refuse('is not a folder');
  const user = process.geteuid?.();
  if (user === undefined) return true; // Windows: the modes it reports mean nothing
  if (found.uid !== user) throw refuse('belongs to another user');
  if (found.mode & 0o077) {
    await fs.chmod(directory, 0o700).catch(ignore);
    // Asked again, because some file systems (FAT, network shares) accept a mode and keep their own.
    if ((await fs.lstat(directory)).mode & 0o022) throw refuse('can be changed by other users');
  }
  return true;
}

export async function readPrivately(
  fs: FileSystem,
  file: string,
): Promise<Buffer | 'absent' | 'oversized'> {
  // Windows has neither flag. O_NONBLOCK: a pipe in the place of the file must not hang us.
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
  const handle = await fs.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(unlessAbsent);
  if (!handle) return 'absent';
  try {
    const { mode, size } = await handle.stat();
    // Where this fails the next save replaces the file; the value is good all the same.
    if (mode & 0o077) await handle.chmod(0o600).catch(ignore);
    return size > MAX_BYTES ? 'oversized' : await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** A reader, and whoever is left after a crash, sees the old value or the new one. */
export async function replace(fs: FileSystem, file: string, value: string): Promise<void> {
  const { randomBytes } = await import('node:crypto');
  const temporary = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    const handle = await fs.open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(value);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await patiently(() => fs.rename(temporary, file));
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(ignore);
    throw error;
  }
}

/** Makes a rename durable. */
export async function flush(fs: FileSystem, directory: string): Promise<void> {
  try {
    const handle = await fs.open(directory, fs.constants.O_RDONLY);
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (!CANNOT_FLUSH.includes(codeOf(error))) throw error;
  }
}

/**
 * What killed processes left holds secrets too. No save fails because tidying did.
 *
 * @param removed Of this file nothing is to stay, but for a save that may still be under way.
 */
export async function removeStale(
  fs: FileSystem,
  directory: string,
  removed?: string,
): Promise<void> {
  const names = await fs.readdir(directory).catch(() => []);
  for (const name of names.filter((name) => /-[0-9a-f]{40}\.txt\.[0-9a-f]{16}\.tmp$/.test(name))) {
    const path = join(directory, name);
    const found = await fs.lstat(path).catch(() => null);
    const isRemoved = removed !== undefined && path.startsWith(`${removed}.`);
    const staleAfterMs = isRemoved ? SAVE_MS : STALE_AFTER_MS;
    if (found && found.mtimeMs < Date.now() - staleAfterMs) await fs.rm(path).catch(ignore);
  }
}

/** Windows refuses to move a file onto one that some program is just looking at. */
export async function patiently(change: () => Promise<void>): Promise<void> {
  for (const delayMs of RETRY_DELAYS_MS) {
    try {
      return await change();
    } catch (error) {
      if (!['EPERM', 'EBUSY', 'EACCES'].includes(codeOf(error))) throw error;
      await new Promise((done) => setTimeout(done, delayMs));
    }
  }
  return change();
}

export function codeOf(error: unknown): string {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' && /^E[A-Z0-9_]+$/.test(code) ? code : 'unknown';
}

export function refused(hint: string, problem?: StoreProblem): MortiseError {
  const details = problem ? { problem } : {};
  return new MortiseError('store_unavailable', details, { hint, retryable: false });
}

function unlessAbsent(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null;
  throw error;
}

function ignore(): void {}
