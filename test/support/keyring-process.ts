import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { transformFile } from '@swc/core';
import type { KeyValueStore } from '../../src/ports/index.js';

const root = resolve(__dirname, '../..');
const CHILD = 'keyring-child.mjs';

/** Compiles a source and everything of ours that it imports. Node 20 runs no TypeScript. */
export async function compileInto(folder: string, source: string): Promise<void> {
  const target = join(folder, source.replace(/ts$/, 'js'));
  if (existsSync(target)) return;
  const jsc = { parser: { syntax: 'typescript' }, target: 'es2022' } as const;
  const { code } = await transformFile(join(root, source), { jsc, swcrc: false });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
  for (const [, path = ''] of code.matchAll(/from '(\.[^']+)'/g)) {
    const next = relative(root, resolve(root, dirname(source), path.replace(/js$/, 'ts')));
    await compileInto(folder, next);
  }
}

/** How an error looked in the other process; `shown` is everything an inspection finds. */
export interface ToldError {
  readonly code: string;
  readonly hint: string;
  readonly shown: string;
}

/** A process of keyring-child.mjs. Its store is that of the last `open`. */
export interface StoreProcess extends KeyValueStore {
  readonly child: ChildProcess;
  /** `changed` as told by its watchers, in order. */
  readonly changes: readonly string[];
  tell<T = unknown>(order: string, ...details: unknown[]): Promise<T>;
  open(kind: string, options: object): Promise<{ name: string; place: string | null }>;
  /** Resolves when the process is gone. */
  end(): Promise<void>;
}

export interface StoreProgram {
  /** @param wrapper What to run it with, such as `unshare`. */
  start(env?: NodeJS.ProcessEnv, wrapper?: readonly string[]): Promise<StoreProcess>;
  /** Ends what still runs, and removes the program. */
  remove(): Promise<void>;
}

/** @param elsewhere A folder from where no installed package is found. */
export async function buildStoreProgram(elsewhere?: string): Promise<StoreProgram> {
  const cache = elsewhere ?? join(root, '.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'keyring-'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await copyFile(join(__dirname, CHILD), join(folder, CHILD));
  await compileInto(folder, 'adapters/node/keyring-store.ts');
  await compileInto(folder, 'adapters/web/store-list.ts');
  const running = new Set<StoreProcess>();
  return {
    async start(env = {}, wrapper = []) {
      const [program = '', ...args] = [...wrapper, process.execPath, join(folder, CHILD)];
      const child = spawn(program, args, {
        env: { ...process.env, NODE_OPTIONS: '', ...env },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const started = await talkTo(child);
      running.add(started);
      return started;
    },
    async remove() {
      await Promise.all([...running].map((one) => one.end()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function talkTo(child: ChildProcess): Promise<StoreProcess> {
  const waiting = new Map<number, (answer: { answer?: unknown; error?: object }) => void>();
  const changes: string[] = [];
  let last = 0;
  const exited = once(child, 'exit');
  void exited.then(() => {
    for (const settle of waiting.values()) settle({ error: { message: 'the process has ended' } });
  });
  const answerTo = (id: number) =>
    new Promise<unknown>((done, fail) => {
      waiting.set(id, ({ answer, error }) => {
        waiting.delete(id);
        if (error) fail(Object.assign(new Error(), error));
        else done(answer);
      });
    });
  child.on(
    'message',
    (message: { id: number; changed?: string; answer?: unknown; error?: object }) => {
      if (message.changed !== undefined) changes.push(message.changed);
      else waiting.get(message.id)?.(message);
    },
  );
  await answerTo(0);
  const tell = <T>(order: string, ...details: unknown[]): Promise<T> => {
    const id = (last += 1);
    const answer = answerTo(id);
    child.send({ id, order, details });
    return answer as Promise<T>;
  };
  return {
    child,
    changes,
    tell,
    open: (kind, options) => tell('open', kind, options),
    get: (key) => tell('get', key),
    set: (key, value) => tell('set', key, value),
    remove: (key) => tell('remove', key),
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
