// A process that takes the lock when its parent says so. Its test puts the library, compiled, beside it.
import { appendFileSync } from 'node:fs';
import { createProcessLock } from './adapters/node/process-lock.js';
import { systemClock } from './adapters/web/system-clock.js';

let lock;
let free = () => {};
let holding = Promise.resolve();

const orders = {
  async use({ place }) {
    lock = createProcessLock({ place, clock: systemClock });
  },
  /** Keeps the lock until `free`, held or not. */
  hold: ({ timeoutMs }) =>
    new Promise((told) => {
      holding = lock('a', timeoutMs, (held) => {
        told(held);
        return new Promise((done) => (free = done));
      });
    }),
  free() {
    free();
    return holding.then(() => 'settled');
  },
  /** Begins and ends `count` times, all asked for at once, and says how often the lock was held. */
  async mark({ file, count }) {
    const task = async (held) => {
      appendFileSync(file, `begin ${process.pid}\n`);
      await new Promise((done) => setTimeout(done, 1));
      appendFileSync(file, `end ${process.pid}\n`);
      return held;
    };
    const turns = Array.from({ length: count }, () => lock('a', 30_000, task));
    return (await Promise.all(turns)).filter((held) => held).length;
  },
  /** What the process itself takes the time to be. */
  now: async () => Date.now(),
};

process.on('message', async ({ order, ...details }) => {
  process.send({ order, answer: await orders[order](details) });
});
process.on('disconnect', () => process.exit());
process.send({ order: 'start' });
