import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStore } from 'mortise';
import { createNodeHost, fileStore } from 'mortise/node';
import { interleave, median, number, printTable } from './table.mjs';

const WAITING = 16;
const ROUNDS = 11;
const LONG_MS = 60_000;

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const lockOf = (store) => createNodeHost({ store }).lock;

async function start(directory) {
  const child = fork(new URL('lock-waiter.mjs', import.meta.url), [directory]);
  await once(child, 'message');
  return child;
}

/** Gives `child` the order; resolves when it has the lock. */
async function tell(child, order) {
  child.send(order);
  const [{ held }] = await once(child, 'message');
  if (!held) throw new Error('the lock was not to be had');
}

async function costs(directory) {
  const CALLS = 200;
  const store = fileStore({ directory });
  const shared = lockOf({ ...store, place: directory });
  const own = lockOf(memoryStore());
  const record = 'x'.repeat(3_000);
  const measure = async (call) => {
    const startMs = performance.now();
    for (let index = 0; index < CALLS; index += 1) await call();
    return ((performance.now() - startMs) * 1_000) / CALLS;
  };
  const tasks = {
    'lock between processes, taken and given back': () =>
      measure(() => shared('bench', LONG_MS, async () => {})),
    'lock of a memoryStore': () => measure(() => own('bench', LONG_MS, async () => {})),
    'fileStore.get': () => measure(() => store.get('session')),
    'fileStore.set, 3,000 characters': () => measure(() => store.set('session', record)),
  };
  await interleave(2, tasks);
  const times = await interleave(ROUNDS, tasks);
  printTable(`What a refresh costs beside its request, median of ${ROUNDS} times ${CALLS}`, [
    ['step', 'µs'],
    ...Object.entries(times).map(([name, us]) => [name, number(median(us))]),
  ]);
}

async function waiting(directory) {
  const children = await Promise.all(Array.from({ length: WAITING }, () => start(directory)));
  const lock = lockOf({ ...fileStore({ directory }), place: directory });

  /** Has `many` wait for the lock that this process holds: how long until the first and the last have had it. */
  const serve = async (many) => {
    let served;
    let freedMs;
    const firstMs = [];
    await lock('bench', LONG_MS, async () => {
      served = children.slice(0, many).map(async (child) => {
        await tell(child, 'pass');
        firstMs.push(performance.now());
      });
      await later(100);
      freedMs = performance.now();
    });
    await Promise.all(served);
    return { first: firstMs[0] - freedMs, all: performance.now() - freedMs };
  };
  /** The same for this process, once the holder has been killed. */
  const bury = async () => {
    const child = children.pop();
    await tell(child, 'keep');
    const served = lock('bench', LONG_MS, async () => performance.now());
    await later(100);
    const killedMs = performance.now();
    child.kill('SIGKILL');
    return (await served) - killedMs;
  };

  await serve(WAITING);
  const one = [];
  const all = [];
  const killed = [];
  for (let round = 0; round < ROUNDS; round += 1) one.push((await serve(1)).first);
  for (let round = 0; round < ROUNDS; round += 1) all.push((await serve(WAITING)).all);
  for (let round = 0; round < ROUNDS; round += 1) killed.push(await bury());
  printTable(`Until other processes have the lock, ${ROUNDS} times`, [
    ['what happens', 'median ms', 'most ms'],
    ...Object.entries({
      'it is given back, one waits': one,
      'its holder is killed, one waits': killed,
      [`it is given back, ${WAITING} wait, all are served`]: all,
    }).map(([name, ms]) => [name, number(median(ms)), number(Math.max(...ms))]),
  ]);
  for (const child of children) child.disconnect();
}

export async function locks() {
  const directory = mkdtempSync(join(tmpdir(), 'mortise-bench-'));
  try {
    console.log('- locking and saving');
    await costs(directory);
    console.log('- waiting for a lock');
    await waiting(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
