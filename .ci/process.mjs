import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Runs a program without a shell, so that it works the same on every system.
 *
 * @param {string[]} command
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, quiet?: boolean, timeoutMs?: number }} [options]
 *   `quiet` keeps what it prints, and shows it only when it fails.
 * @returns {{ ok: boolean, stdout: string, output: string }}
 */
export function run([program, ...args], { cwd = root, env = {}, quiet = false, timeoutMs } = {}) {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: timeoutMs,
  });
  const output = `${stdout ?? ''}${stderr ?? ''}${error ? `${error.message}\n` : ''}`;
  return { ok: status === 0, stdout: stdout ?? '', output };
}

/** The command that starts this npm: through Node, since `npm` itself is a shell script on Windows. */
export function npm(...args) {
  return [process.execPath, findNpm(), ...args];
}

function findNpm() {
  const started = process.env.npm_execpath;
  const besideNode = dirname(process.execPath);
  const candidates = [
    ...(started && basename(started) === 'npm-cli.js' ? [started] : []),
    join(besideNode, 'node_modules/npm/bin/npm-cli.js'),
    join(besideNode, '../lib/node_modules/npm/bin/npm-cli.js'),
    ...(process.env.PATH ?? '').split(delimiter).flatMap((folder) => {
      const link = join(folder, 'npm');
      return existsSync(link) ? [realpathSync(link)] : [];
    }),
  ];
  const found = candidates.find((file) => basename(file) === 'npm-cli.js' && existsSync(file));
  if (!found) throw new Error('npm was not found. Start this with npm: npm start, npm test.');
  return found;
}

/** Prints what is being done, then how long it took. @template T @param {() => T} task */
export function timed(what, task) {
  console.log(`- ${what}`);
  const startMs = performance.now();
  const result = task();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`  ${seconds} s`);
  return result;
}
