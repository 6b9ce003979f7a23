// Whose code the build puts into which file: the licences of all of it go out in dist/LICENSES.txt.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const FILE = 'dist/LICENSES.txt';

/** What a text says that is the licence itself and not only its name. Another licence is for a person to read first. */
const WORDS = {
  MIT: /Permission is hereby granted, free of charge/,
  ISC: /Permission to use, copy, modify/,
  'BSD-2-Clause': /Redistributions in binary form must reproduce/,
  'BSD-3-Clause': /Redistributions in binary form must reproduce/,
  'Apache-2.0': /TERMS AND CONDITIONS FOR USE, REPRODUCTION/,
};

/** Packages under this licence have a notice that points to its text. Here is one that has the text. */
const APACHE = 'node_modules/typescript/LICENSE.txt';

/** Written file → folders of the packages in it. */
const packagesIn = new Map();

const readPackage = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** The folder of the package that a file belongs to: the nearest that says its version. */
function folderOf(file) {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) && readPackage(folder).version) return folder;
    if (folder === dirname(folder)) throw new Error(`${file} is of no package`);
  }
}

/** One module of a bundle: a package's, a built file of ours with what is in it, or a source of ours. */
function packagesOf(id) {
  // Plugins mark what they make of a file.
  const path = resolve(id.replace(/^\0/, '').replace(/\?.*$/, ''));
  if (/[\\/]node_modules[\\/]/.test(path)) return [folderOf(path)];
  return [...(packagesIn.get(path) ?? [])];
}

/** @throws {Error} Where a package has no text that we know for its licence. */
function textOf(folder) {
  const { name, license } = readPackage(folder);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)\b/i.test(file));
  let text = files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  if (text && license === 'Apache-2.0' && !WORDS[license].test(text)) {
    text += `\n\n${readFileSync(APACHE, 'utf8').trim()}`;
  }
  if (!WORDS[license]?.test(text)) {
    throw new Error(`${name} comes without the text of its licence, which is ${license}`);
  }
  return text.replace(/\r\n/g, '\n');
}

const titleOf = (folder) => {
  const { name, version, license } = readPackage(folder);
  return `${name} ${version} (${license})`;
};

/**
 * The packages in a file, for whoever finds it alone; noted for the end as well. Empty: it is all ours.
 *
 * @param {{ modules: Record<string, { renderedLength: number }> }} chunk
 * @param {string} file Where it is written to.
 */
export function noticeOf({ modules }, file) {
  const used = Object.keys(modules).filter((id) => modules[id].renderedLength > 0);
  const folders = [...new Set(used.flatMap(packagesOf))].sort();
  folders.forEach(textOf);
  packagesIn.set(resolve(file), folders);
  return folders.length > 0 ? comment(folders) : '';
}

/** As minifiers leave it in. */
const comment = (folders) => `/*! With ${folders.map(titleOf).join(', ')}: see LICENSES.txt */`;

/** All of them, and where each is. Written with every file, so that it is complete after the last. */
export const licences = {
  name: 'licences',
  writeBundle() {
    const folders = [...new Set([...packagesIn.values()].flat())];
    const filesOf = (folder) =>
      [...packagesIn].flatMap(([file, all]) =>
        all.includes(folder) ? [relative('dist', file)] : [],
      );
    const sections = folders
      .sort((a, b) => titleOf(a).localeCompare(titleOf(b)))
      .map((folder) => {
        const where = `In ${filesOf(folder).join(', ').replaceAll('\\', '/')}`;
        return [titleOf(folder), where, textOf(folder)].join('\n\n');
      });
    const whole = [[titleOf('.'), textOf('.')].join('\n\n'), ...sections];
    writeFileSync(FILE, `${whole.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
  },
};
