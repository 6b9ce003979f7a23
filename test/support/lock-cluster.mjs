// Two workers of one cluster, which share what they listen at, unless told not to. Prints what each was told.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createProcessLock } from './adapters/node/process-lock.js';
import { systemClock } from './adapters/web/system-clock.js';

if (cluster.isPrimary) {
  const told = [];
  for (let count = 0; count < 2; count += 1) told.push((await once(cluster.fork(), 'message'))[0]);
  console.log(JSON.stringify(told));
  process.exit();
}
const lock = createProcessLock({ place: process.argv[2], clock: systemClock });
await lock('a', 200, (held) => {
  process.send(held);
  return new Promise(() => {});
});
