import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageJson } from '../../test/package/package-entries.mjs';
import { root } from '../process.mjs';
import { interleave, median, number, printTable } from './table.mjs';

const ROUNDS = 41;
const IMPORTS = {
  'bare Node': '',
  'mortise/node': `import 'mortise/node';`,
  'mortise + node + prevu3d': `import 'mortise'; import 'mortise/node'; import 'mortise/providers/prevu3d';`,
  oauth4webapi: `import 'oauth4webapi';`,
};

/** Whole processes, from start to exit, on packages that lie as npm lays them. */
export async function coldImport() {
  const folder = join(root, '.cache/bench');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const lay = (from, to) =>
    cpSync(join(root, from), join(folder, 'node_modules', to), { recursive: true });
  for (const part of ['dist', 'package.json']) lay(part, `mortise/${part}`);
  const needed = [...Object.keys(packageJson.dependencies), 'oauth4webapi'];
  for (const name of needed) lay(`node_modules/${name}`, name);

  const tasks = {};
  for (const [index, [name, code]] of Object.entries(IMPORTS).entries()) {
    const file = join(folder, `${index}.mjs`);
    writeFileSync(file, code);
    tasks[name] = () => {
      const startMs = performance.now();
      const { status, stderr } = spawnSync(process.execPath, [file], { stdio: 'pipe' });
      if (status !== 0) throw new Error(String(stderr));
      return performance.now() - startMs;
    };
  }
  await interleave(2, tasks);
  const times = await interleave(ROUNDS, tasks);
  // Round by round, so that a machine that grows slower or faster weighs on both sides.
  const over = (name) => median(times[name].map((ms, round) => ms - times['bare Node'][round]));
  printTable(`Cold import in ms, median of ${ROUNDS} processes each`, [
    ['import', 'process', 'over bare Node', 'to oauth4webapi'],
    ...Object.keys(IMPORTS).map((name) => [
      name,
      number(median(times[name])),
      name === 'bare Node' ? '' : number(over(name)),
      name === 'bare Node' ? '' : `${number(over(name) / over('oauth4webapi'))} x`,
    ]),
  ]);
}
