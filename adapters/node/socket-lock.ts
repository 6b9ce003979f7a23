import type { Socket } from 'node:net';
import type { KernelLock } from './kernel-lock.js';

/** More programs of one user than ever wait at once. Who comes later is turned away, and asks again. */
const MAX_WAITING = 128;

/** How long a holder whom others wait for keeps out of their way afterwards. */
const COURTESY_MS = 3;

/**
 * All of `sun_path`, because two Nodes only mean the same name when there is nothing to fill up: libuv
 * 1.46 (Node 20) binds 108 bytes with zeros at the end, libuv 1.51 (Node 22) as many as the name has.
 */
const pathOf = (name: string) => `\0${name}`.padEnd(108, '-');

/**
 * Linux: whoever listens at an abstract socket holds the lock, and who waits for it is connected to it
 * until it closes. No file is left, and no word is exchanged.
 */
export const socketLock: KernelLock = {
  async take(name) {
    const { createServer } = await import('node:net');
    const waiting = new Set<Socket>();
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.unref();
      // Who has something to say is no waiter. Reading is how one that has gone is noticed.
      socket.on('error', ignore).on('data', () => void socket.destroy());
      socket.on('close', () => waiting.delete(socket));
    });
    server.maxConnections = MAX_WAITING;
    server.unref();
    try {
      await new Promise<void>((resolve, reject) => {
        // Stays for good: what goes wrong with a lock that is held is nobody's exception.
        server.on('error', reject);
        // Exclusive: in a cluster, workers would otherwise share what listens.
        server.listen({ path: pathOf(name), exclusive: true }, resolve);
      });
    } catch (error) {
      if (Object(error).code === 'EADDRINUSE') return null;
      throw error;
    }
    return async () => {
      const isAwaited = waiting.size > 0;
      server.close(); // free from here on
      for (const socket of waiting) socket.destroy();
      // They have yet to wake up: without this a caller who comes back at once would always win.
      if (isAwaited) await new Promise((done) => setTimeout(done, COURTESY_MS));
    };
  },

  async whenFreed(name, signal) {
    const { connect } = await import('node:net');
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const socket = connect({ path: pathOf(name) });
      const leave = () => void socket.destroy();
      signal.addEventListener('abort', leave);
      socket.on('error', ignore).on('data', leave);
      socket.on('close', () => {
        signal.removeEventListener('abort', leave);
        resolve();
      });
    });
  },
};

function ignore(): void {}
