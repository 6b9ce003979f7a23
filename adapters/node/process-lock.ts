import type { Clock, Lock } from '../../src/ports/index.js';
import { createLocalLock } from '../web/local-lock.js';
import { findKernelLock } from './kernel-lock.js';
import type { Free, KernelLock } from './kernel-lock.js';
import { trueNameOf } from './true-name.js';

export interface ProcessLockOptions {
  /** What is shared, as its store names it: locks of one place exclude each other. */
  readonly place: string;
  readonly clock: Clock;
  /** Default: that of this system. `null`: none, and callers in here take turns without the lock. */
  readonly kernel?: KernelLock | null;
}

/** Part of the name: what must exclude each other agrees on how. Changes with the recipe of the name, or never. */
const PROTOCOL = 'mortise-lock-1';

/** A holder that is freed sooner than this was hardly worth waiting for, if it was one. */
const QUICK_MS = 20;
const MAX_PAUSE_MS = 50;

/**
 * A lock among all processes of this user, kept by the operating system: free at once when its holder is
 * killed, and nobody else's while its holder is suspended or a clock is wrong.
 *
 * A file that counts as abandoned after some time can do neither. Measured with proper-lockfile 4.1.2: after
 * a kill the others wait all of that time, a holder that was suspended for as long has lost the lock without
 * knowing, a clock one hour ahead takes it from a live holder in 4 ms, and that holder then throws from a
 * timer, which ends the host application.
 *
 * What it cannot do: any program of this machine can hold the name, which costs the others their waiting
 * time and nothing else. On Linux processes in different network namespaces (containers, some sandboxes) do
 * not see each other, though they may share a folder: there it is comparing before writing that protects.
 *
 * A process that only holds a lock is not kept alive by it; one that waits is, for as long as it waits.
 */
export function createProcessLock({
  place,
  clock,
  kernel = findKernelLock(),
}: ProcessLockOptions): Lock {
  const inTurn = createLocalLock(clock);
  // Other processes are not kept out, and who asks is told so.
  if (!kernel) return (name, timeoutMs, task) => inTurn(name, timeoutMs, () => task(false));
  const { take, whenFreed } = kernel;

  async function obtain(lockName: string, signal: AbortSignal): Promise<Free | null> {
    const name = await nameOf(place, lockName);
    for (let quick = 0; !signal.aborted;) {
      const free = await take(name);
      if (free) return free;
      const sinceMs = clock.monotonicMs();
      await whenFreed?.(name, signal);
      quick = clock.monotonicMs() - sinceMs < QUICK_MS ? quick + 1 : 0;
      // By chance, so that those who were woken together do not come back together.
      if (quick) await pause(clock, Math.random() * Math.min(quick, MAX_PAUSE_MS), signal);
    }
    return null;
  }

  /** `null`: not held, because the time is over or there is no such lock. */
  function acquire(name: string, timeoutMs: number): Promise<Free | null> {
    return new Promise((resolve) => {
      const over = new AbortController();
      const cancel = clock.after(timeoutMs, () => {
        over.abort();
        resolve(null);
      });
      const settle = (free: Free | null) => {
        cancel();
        if (over.signal.aborted) void free?.();
        else resolve(free);
      };
      obtain(name, over.signal).then(settle, () => settle(null));
    });
  }

  return (name, timeoutMs, task) => {
    const startMs = clock.monotonicMs();
    return inTurn(name, timeoutMs, async (isTurn) => {
      if (!isTurn) return task(false);
      const free = await acquire(name, Math.max(startMs + timeoutMs - clock.monotonicMs(), 0));
      try {
        return await task(free !== null);
      } finally {
        await free?.();
      }
    });
  };
}

/** Tells users, places and locks apart without naming them: every user of a machine can list its sockets. */
async function nameOf(place: string, lockName: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  // Windows has no such number, and keeps what makes its locks in a folder of the user.
  const what = JSON.stringify([process.getuid?.() ?? null, await trueNameOf(place), lockName]);
  return `${PROTOCOL}-${createHash('sha256').update(what).digest('hex')}`;
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal.addEventListener('abort', end);
  });
}
