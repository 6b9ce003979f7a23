// Makes a clone ready to use: packages as package-lock.json says, dist as the sources say. Needs only
// Node and npm, and does nothing when there is nothing to do.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm, root, run, timed } from './process.mjs';

const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8'));

/** Whether node_modules holds what package-lock.json says, as far as npm's own note of it can tell. */
function isInstalled() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false;
  const wanted = Object.entries(read('package-lock.json').packages).filter(([path]) => path !== '');
  const present = read('node_modules/.package-lock.json').packages;
  return wanted.every(([path, { version, optional, devOptional }]) =>
    // What is optional may be for another system.
    present[path] ? present[path].version === version : optional || devOptional,
  );
}

/** The latest change below `path`. A folder's own time tells of files that were removed. */
function changedAtMs(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => changedAtMs(join(path, name))));
}

function isBuilt() {
  // What is written last.
  const built = join(root, 'dist/mortise.engine.js');
  if (!existsSync(built)) return false;
  const sources = [
    'src',
    'adapters',
    'package.json',
    'rollup.config.mjs',
    'rollup.licences.mjs',
    'tsconfig.json',
    '.ci/tsconfig.json',
  ];
  return sources.every((path) => changedAtMs(join(root, path)) < statSync(built).mtimeMs);
}

function must(what, command) {
  const { ok, output } = timed(what, () => run(command, { quiet: true }));
  if (ok) return;
  console.error(`${output}\nThis did not work: ${what}`);
  process.exit(1);
}

export function install() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    console.error(`Mortise needs Node 20 or later. This is Node ${process.versions.node}.`);
    process.exit(1);
  }
  if (isInstalled()) return;
  must(
    'Installing packages (about a minute, once)',
    npm('ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'),
  );
}

export function build() {
  if (isBuilt()) return;
  const rollup = join(root, 'node_modules/rollup/dist/bin/rollup');
  must('Building (about half a minute)', [process.execPath, rollup, '--config']);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  install();
  build();
}
