import { join } from 'node:path';
import type { KernelLock } from './kernel-lock.js';
import { codeOf } from './private-files.js';

type FileSystem = typeof import('node:fs');

export interface FileLockOptions {
  readonly platform: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly load?: () => Promise<
    Pick<FileSystem, 'open' | 'futimesSync' | 'closeSync' | 'constants'>
  >;
}

/** `UV_FS_O_EXLOCK` of libuv, which Node passes on without naming it. */
const EXLOCK_ON_WINDOWS = 0x1000_0000;
/** `O_EXLOCK`, alike on macOS and every BSD. */
const EXLOCK_ON_BSD = 0x20;

const TAKEN = ['EAGAIN', 'EWOULDBLOCK', 'EBUSY'];

/**
 * Windows, macOS and the BSDs: whoever has the file open has it alone. The file is empty, stays, and says
 * nothing: to remove it would be to lock what the next one no longer opens.
 *
 * Not a named pipe on Windows: its name is taken for as long as one client keeps its end open, any user may
 * be that client, and a failed `listen` has ended the process (nodejs/node issue 65057).
 *
 * Tested on a file system of our own, and tried by hand with Node for Windows under Wine; neither Windows
 * nor macOS has run it here.
 */
export function createFileLock({
  platform,
  env = process.env,
  load = () => import('node:fs'),
}: FileLockOptions): KernelLock {
  const isWindows = platform === 'win32';
  return {
    async take(name) {
      const [fs, { tmpdir }] = await Promise.all([load(), import('node:os')]);
      // Not %TEMP%, which may be another one in each remote desktop session of a user.
      const local = isWindows ? env['LOCALAPPDATA'] : undefined;
      const path = join(local ? join(local, 'Temp') : tmpdir(), name);
      const { O_RDWR, O_CREAT, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = fs.constants;
      // Without O_NONBLOCK the call would wait for the lock, and keep a thread of the pool with it.
      const alone = isWindows ? EXLOCK_ON_WINDOWS : EXLOCK_ON_BSD | O_NONBLOCK | O_NOFOLLOW;
      try {
        // A number, because a FileHandle that nobody refers to is closed by the garbage collector.
        const file = await new Promise<number>((resolve, reject) => {
          fs.open(path, O_RDWR | O_CREAT | alone, 0o600, (error, fd) =>
            error ? reject(error) : resolve(fd),
          );
        });
        touch(fs, file);
        return async () => close(fs, file);
      } catch (error) {
        if (TAKEN.includes(codeOf(error))) return null;
        throw error;
      }
    },
  };
}

/** Systems tidy away what has not been touched for days, and this must not go while it is held. */
function touch(fs: Pick<FileSystem, 'futimesSync'>, file: number): void {
  const nowS = Date.now() / 1000;
  try {
    fs.futimesSync(file, nowS, nowS);
  } catch {
    // Held all the same.
  }
}

function close(fs: Pick<FileSystem, 'closeSync'>, file: number): void {
  try {
    fs.closeSync(file);
  } catch {
    // Closed by somebody else, which frees it too.
  }
}
