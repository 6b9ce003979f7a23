import { dirname, isAbsolute, join, relative } from 'node:path';

/**
 * One name for a folder that has several: by links, by the letters' case on macOS, by short names and mapped
 * drives on Windows. Of a folder that is not there yet, what is above it counts. Any other text stays as it is.
 */
export async function trueNameOf(place: string): Promise<string> {
  const lines = place.split('\n');
  return (await Promise.all(lines.map(trueNameOfFolder))).join('\n');
}

/** A folder that is not there yet has no case of its own where cases do not count. */
const oneCase = (path: string): string =>
  /^(win32|darwin)$/.test(process.platform) ? path.toLowerCase() : path;

async function trueNameOfFolder(path: string): Promise<string> {
  if (!isAbsolute(path)) return path;
  // The native one: the other does not correct the case of letters. Here, for it is no part of a cold start.
  const { realpath } = await import('node:fs');
  const trueName = (folder: string) =>
    new Promise<string | null>((done) =>
      realpath.native(folder, (error, name) => done(error ? null : name)),
    );
  for (let above = path; ; above = dirname(above)) {
    const found = await trueName(above);
    if (found !== null) return oneCase(join(found, relative(above, path)));
    if (dirname(above) === above) return path;
  }
}
