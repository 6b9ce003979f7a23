import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';
import { misconfigured } from '../../src/errors.js';

/** The machine we run on; a test has others. */
interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: () => string;
}

const thisMachine: Machine = { platform: process.platform, env: process.env, home: homedir };

/** Names that Windows keeps for devices, with any ending. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * The folder for what a plug-in stores: this user's, on this machine.
 *
 * `%LOCALAPPDATA%` on Windows (not `%APPDATA%`, which roams to other machines), `~/Library/Application Support`
 * on macOS, `$XDG_STATE_HOME` or `~/.local/state` elsewhere, and below it one named after the service.
 *
 * @param service 1 to 64 letters, digits, and between them single blanks, dots, hyphens and underscores, such
 * as `acme-scan` or `com.acme.scan`.
 * @throws {MortiseError} `configuration_error` for another name, or where there is no home folder.
 */
export function defaultDirectory(service: string): string {
  return defaultDirectoryOn(thisMachine, service);
}

export function defaultDirectoryOn({ platform, env, home }: Machine, service: string): string {
  checkService(service);
  const { isAbsolute, join } = platform === 'win32' ? win32 : posix;
  const inHome = (...path: string[]) => {
    const found = homeOf(home);
    if (!isAbsolute(found)) throw misconfigured('there is no home folder: name a directory');
    return join(found, ...path);
  };
  // A relative path in these variables is to be ignored (XDG Base Directory Specification).
  const given = (name: string) => (isAbsolute(env[name] ?? '') ? env[name] : undefined);
  if (platform === 'win32')
    return join(given('LOCALAPPDATA') ?? inHome('AppData', 'Local'), service);
  if (platform === 'darwin') return inHome('Library', 'Application Support', service);
  return join(given('XDG_STATE_HOME') ?? inHome('.local', 'state'), service);
}

/** What names a folder and a keychain entry on every system. */
export function checkService(service: string): void {
  const isName =
    typeof service === 'string' &&
    service.length <= 64 &&
    /^[a-z0-9]+([ ._-][a-z0-9]+)*$/i.test(service) &&
    !RESERVED.test(service);
  if (!isName) {
    throw misconfigured(
      'service must be 1 to 64 letters, digits, and between them single blanks, dots, hyphens and underscores',
    );
  }
}

/** Node throws where the user has neither a variable nor an entry. */
function homeOf(home: () => string): string {
  try {
    return home();
  } catch {
    return '';
  }
}
