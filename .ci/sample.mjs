// npm run sample: lists the samples. npm run sample NAME -- OPTIONS: runs one.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './process.mjs';

const folder = join(root, 'samples');
// Of host programs that cannot run here there is only the code.
const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'main.mjs')));
const [chosen, ...options] = process.argv.slice(2);

if (names.includes(chosen)) {
  const main = join(folder, chosen, 'main.mjs');
  // In this process, so that the terminal and Ctrl-C are the sample's own.
  process.argv = [process.execPath, main, ...options];
  await import(pathToFileURL(main).href);
} else {
  if (chosen) console.log(`There is no sample ${chosen}. There are:\n`);
  const width = Math.max(...names.map((name) => name.length));
  for (const name of names) {
    const [title] = readFileSync(join(folder, name, 'README.md'), 'utf8').split('\n');
    console.log(`npm run sample ${name.padEnd(width)}  ${title.replace(/^# /, '')}`);
  }
  process.exitCode = chosen ? 1 : 0;
}
