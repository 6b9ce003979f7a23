import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { transformFileSync } from '@swc/core';

/** A process of lock-child.mjs, and what it can be told. */
export interface LockProcess {
  readonly child: ChildProcess;
  /** The lock of which place it is to take from now on. */
  use(place: string): Promise<void>;
  /** Takes the lock and keeps it. Resolves with whether it is held. */
  hold(timeoutMs: number): Promise<boolean>;
  /** Resolves with `settled`, when the lock's promise has. */
  free(): Promise<string>;
  mark(file: string, count: number): Promise<number>;
  now(): Promise<number>;
  /** Resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Programs that use the lock, in a folder of their own. */
export interface LockProcesses {
  readonly directory: string;
  start(env?: NodeJS.ProcessEnv): Promise<LockProcess>;
  /** Runs a program, or the text of one, to its end; `onOutput` hears what it prints. */
  run(
    program: readonly string[],
    onOutput?: (text: string) => void,
  ): Promise<{ exitCode: number | null; output: string; errors: string }>;
  /** Kills what still runs, and removes the folder. */
  stop(): Promise<void>;
}

const PROGRAMS = ['lock-child.mjs', 'lock-cluster.mjs'];

export function createLockProcesses(): LockProcesses {
  const directory = mkdtempSync(join(tmpdir(), 'mortise-'));
  const library = ['adapters/web', 'adapters/node'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  for (const file of ['src/errors.ts', ...library]) {
    const target = join(directory, file.replace(/ts$/, 'js'));
    mkdirSync(dirname(target), { recursive: true });
    const jsc = { parser: { syntax: 'typescript' }, target: 'es2022' } as const;
    writeFileSync(target, transformFileSync(file, { jsc, swcrc: false }).code);
  }
  for (const name of PROGRAMS) copyFileSync(join(__dirname, name), join(directory, name));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');

  const children = new Set<ChildProcess>();
  const kill = async (child: ChildProcess) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL'); // ends a suspended process too
    await exited;
  };

  return {
    directory,
    async start(env = {}) {
      const child = fork(join(directory, 'lock-child.mjs'), {
        env: { ...process.env, NODE_OPTIONS: '', ...env },
        execArgv: [],
      });
      children.add(child);
      const ended = once(child, 'exit').then(([code, signal]) => {
        throw new Error(`the process ended early: ${code ?? signal}`);
      });
      ended.catch(() => {});
      const answerTo = async (order: string) => {
        const heard = new Promise((resolve) => {
          const listen = (message: { order: string; answer: unknown }) => {
            if (message.order !== order) return;
            child.off('message', listen);
            resolve(message.answer);
          };
          child.on('message', listen);
        });
        return Promise.race([heard, ended]);
      };
      const tell = <T>(order: string, details: object = {}) => {
        child.send({ order, ...details });
        return answerTo(order) as Promise<T>;
      };
      await answerTo('start');
      return {
        child,
        use: (place) => tell('use', { place }),
        hold: (timeoutMs) => tell('hold', { timeoutMs }),
        free: () => tell('free'),
        mark: (file, count) => tell('mark', { file, count }),
        now: () => tell('now'),
        kill: () => kill(child),
      };
    },
    run: (program, onOutput = () => {}) =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, program, {
          cwd: directory,
          env: { ...process.env, NODE_OPTIONS: '' },
        });
        children.add(child);
        let output = '';
        let errors = '';
        child.stdout.on('data', (text) => {
          output += text;
          onOutput(output);
        });
        child.stderr.on('data', (text) => (errors += text));
        child.on('error', reject);
        child.on('close', (exitCode) => resolve({ exitCode, output: output.trim(), errors }));
      }),
    async stop() {
      await Promise.all([...children].map(kill));
      rmSync(directory, { recursive: true });
    },
  };
}

const FAKE_TIME = [
  process.env['LIBFAKETIME'],
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
].find((path) => path && existsSync(path));

/** As `test`, with the environment of a process whose clock is `offset` away. */
export function testWithClock(
  name: string,
  offset: string,
  run: (env: NodeJS.ProcessEnv) => Promise<void>,
): void {
  if (FAKE_TIME) return test(name, () => run({ LD_PRELOAD: FAKE_TIME, FAKETIME: offset }));
  const notice = `"${name}" needs libfaketime: install Debian's package, or set LIBFAKETIME to its path.`;
  if (process.env['CI'] && process.platform === 'linux') {
    test(name, () => {
      throw new Error(notice);
    });
    return;
  }
  process.stderr.write(`\nLEFT OUT: ${notice}\n\n`);
  test.skip(name, () => {});
}
