import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Answer, Change, Command, Instant, Line } from './worker-protocol.js';

const root = resolve(__dirname, '../..');

/** The digest by which workers tell of a token. */
export const digest = (token: string) =>
  createHash('sha256').update(token).digest('hex').slice(0, 12);

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it had to complain about, in words of Node's. */
  readonly stderr: string;
}

/** One process with one session. */
export interface Worker {
  readonly name: string;
  readonly changes: readonly Change[];
  /** The last value it has told to be durable. */
  readonly saved: number;
  readonly isGone: boolean;
  /** Never rejects: what went wrong is the answer, `killed` included. */
  ask(command: Command): Promise<Answer>;
  /** Resolves when a change fits, one that was told already included. */
  changed(fits: (change: Change) => boolean): Promise<Change>;
  /** It is at this instant of a refresh, and about to do what it was told. */
  reached(instant: Instant): Promise<void>;
  /** It has told of a value that it is durable. */
  hasSaved(value: number): Promise<void>;
  /** It stands still, all its threads. */
  stopped(): Promise<void>;
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** Resolves when the process is gone and everything it said was heard. */
  readonly exited: Promise<Exit>;
  /** Ends it, and is told how it ended: 0 unless something was thrown past everybody. */
  end(): Promise<Exit>;
}

export interface WorkerOptions {
  /** Sent with each of its requests, so that a server can tell processes apart. */
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface WorkerProgram {
  start(options?: WorkerOptions): Promise<Worker>;
  /** Ends all workers that are left, and removes the program. Resolves with how those ended. */
  remove(): Promise<Exit[]>;
}

/** Compiles the worker. Takes a second, so once a test file. */
export function buildWorkers(): WorkerProgram {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, '.cache/worker-'));
  const file = join(folder, 'worker.mjs');
  const built = spawnSync(process.execPath, [join(__dirname, 'worker-build.mjs'), file], {
    env: { ...process.env, NODE_OPTIONS: '' },
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(`the worker cannot be built:\n${built.stderr}`);
  const left = new Set<Worker>();
  return {
    async start(options = {}) {
      const { worker, started } = start(file, options);
      left.add(worker);
      void worker.exited.then(() => left.delete(worker));
      await started;
      return worker;
    },
    async remove() {
      const exits = await Promise.all([...left].map((worker) => worker.end()));
      rmSync(folder, { recursive: true, force: true });
      return exits;
    },
  };
}

function start(file: string, { name = 'worker', env = {} }: WorkerOptions) {
  const child = spawn(process.execPath, [file, name], {
    // Nothing of ours: reading extra certificates alone would double the time to start.
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
  });
  const changes: Change[] = [];
  const reached: Instant[] = [];
  const answers = new Map<number, (answer: Answer) => void>();
  const watchers = new Set<() => void>();
  let saved = 0;
  let count = 0;
  let stderr = '';
  let isGone = false;
  let isReady: () => void = () => {};
  const ready = new Promise<void>((done) => (isReady = done));

  const hear = (line: Line) => {
    if ('id' in line) {
      const { id, ...answer } = line;
      answers.get(id)?.(answer);
      answers.delete(id);
    } else if ('change' in line) changes.push(line.change);
    else if ('reached' in line) reached.push(line.reached);
    else if ('saved' in line) saved = line.saved;
    else isReady();
    for (const look of [...watchers]) look();
  };
  child.stdin.on('error', () => {});
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  createInterface(child.stdout).on('line', (text) => {
    // A process that is killed may leave half a line.
    if (text.endsWith('}')) hear(JSON.parse(text) as Line);
  });

  const exited = new Promise<Exit>((done) => {
    child.on('close', (code, signal) => {
      isGone = true;
      for (const settle of answers.values()) settle({ error: { code: 'killed', text: 'killed' } });
      answers.clear();
      for (const look of [...watchers]) look();
      done({ code, signal, stderr });
    });
  });

  /** Resolves once `find` has something; rejects when the process ends without. */
  const seen = <T>(what: string, find: () => T | undefined): Promise<T> =>
    new Promise((done, fail) => {
      const look = () => {
        const found = find();
        if (found === undefined && !isGone) return;
        watchers.delete(look);
        if (found !== undefined) done(found);
        else fail(new Error(`${name} ended before: ${what}\n${stderr}`));
      };
      watchers.add(look);
      look();
    });

  const worker: Worker = {
    name,
    changes,
    exited,
    get saved() {
      return saved;
    },
    get isGone() {
      return isGone;
    },
    ask(command) {
      if (isGone) return Promise.resolve({ error: { code: 'killed', text: 'killed' } });
      const id = (count += 1);
      child.stdin.write(`${JSON.stringify({ id, ...command })}\n`);
      return new Promise((done) => answers.set(id, done));
    },
    changed: (fits) => seen(`a change like ${fits}`, () => changes.find(fits)),
    async reached(instant) {
      await seen(instant, () => (reached.includes(instant) ? instant : undefined));
      reached.splice(reached.indexOf(instant), 1);
    },
    async hasSaved(value) {
      await seen(`${value} is saved`, () => (saved >= value ? value : undefined));
    },
    async stopped() {
      // The third field of Linux's own account of the process; after the name, which may hold anything.
      const stateOf = () => /\) (\S)/.exec(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))?.[1];
      while (stateOf() !== 'T') await new Promise((done) => setTimeout(done, 1));
    },
    signal: (signal) => void child.kill(signal),
    async end() {
      child.kill('SIGCONT');
      child.stdin.end();
      const lateMs = setTimeout(() => child.kill('SIGKILL'), 5_000);
      const exit = await exited;
      clearTimeout(lateMs);
      return exit;
    },
  };
  const started = Promise.race([ready, exited]).then(() => {
    if (isGone) throw new Error(`the worker did not start:\n${stderr}`);
  });
  return { worker, started };
}

/** Where Debian's package libfaketime puts what sets a process's clock. */
const faketime = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path));

/** As `test`, for what this machine may lack. Then it fails in CI, and elsewhere says what was left out. */
export function testWhere(
  isPossible: boolean,
  needs: string,
): (name: string, run: () => Promise<void>, timeoutMs?: number) => void {
  if (isPossible) return test;
  return (name) => {
    const notice = `"${name}" needs ${needs}.`;
    if (process.env['CI']) {
      test(name, () => {
        throw new Error(notice);
      });
      return;
    }
    process.stderr.write(`\nLEFT OUT: ${notice}\n\n`);
    test.skip(name, () => {});
  };
}

export const testWithFaketime = testWhere(faketime !== undefined, 'libfaketime: install it');

/**
 * For a process whose clock on the wall is off; the one that nobody sets, and the times of files, stay.
 *
 * @param place An offset such as `+1h`, or a file that holds one, and may hold another one later.
 */
export const faketimeEnv = (place: { offset: string } | { file: string }) => ({
  LD_PRELOAD: faketime ?? '',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  NO_FAKE_STAT: '1',
  ...('offset' in place
    ? { FAKETIME: place.offset }
    : { FAKETIME_TIMESTAMP_FILE: place.file, FAKETIME_NO_CACHE: '1' }),
});
