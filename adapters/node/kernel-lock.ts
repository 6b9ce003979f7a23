import { createFileLock } from './file-lock.js';
import { socketLock } from './socket-lock.js';

/** Gives the lock back. Never rejects. */
export type Free = () => Promise<void>;

/** A lock that the operating system keeps for its holder, and ends with it, however that ends. */
export interface KernelLock {
  /** One try: `null` while somebody holds it. Rejects where no such lock is to be had. */
  take(name: string): Promise<Free | null>;
  /** Resolves when the holder may be gone; rejects never. Left out: nothing tells, one has to ask. */
  whenFreed?(name: string, signal: AbortSignal): Promise<void>;
}

const WITH_FILES: readonly string[] = ['win32', 'darwin', 'freebsd', 'openbsd', 'netbsd'];

/** The lock of a platform; `null` where we know of none. */
export function findKernelLock(
  platform: string = process.platform,
  uvVersion: string | undefined = process.versions.uv,
): KernelLock | null {
  if (WITH_FILES.includes(platform)) return createFileLock({ platform });
  // Before libuv 1.46 (Node 20.4) all abstract sockets had one name: each lock would have been every lock.
  // Node 20.4 to 20.8 refuse the names, which is found out by asking.
  const [major = 0, minor = 0] = (uvVersion ?? '').split('.').map(Number);
  const hasNames = major > 1 || (major === 1 && minor >= 46);
  return platform === 'linux' && hasNames ? socketLock : null;
}
