import { MortiseError } from '../../src/errors.js';

/** The program that opens the browser: what it ended with (`null`: a signal), once it has ended. */
export interface Launched {
  readonly exitCode: Promise<number | null>;
}

export interface SystemBrowserOptions {
  readonly platform?: NodeJS.Platform;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Starts the program; rejects when it cannot be started. Default: the `open` package. */
  readonly launch?: (url: string) => Promise<Launched>;
  /** How long a program that is still running may yet fail. Default: 3 s. */
  readonly patienceMs?: number;
}

const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Returns the address in its normal form, or throws a `configuration_error`.
 *
 * https only, or http on loopback: the operating system would start a program for any other scheme,
 * and the address may have come from a server.
 *
 * @see RFC 9700 section 2.6
 */
export function readBrowserUrl(text: string): string {
  if (!URL.canParse(text)) {
    throw new MortiseError('configuration_error', { problem: 'authorization URL does not parse' });
  }
  const { protocol, hostname, username, password, href } = new URL(text);
  const isLoopback = protocol === 'http:' && LOOPBACK_HOSTS.includes(hostname);
  if (protocol !== 'https:' && !isLoopback) {
    throw new MortiseError('configuration_error', { problem: 'authorization URL is not https' });
  }
  if (username || password) {
    throw new MortiseError('configuration_error', { problem: 'authorization URL names a user' });
  }
  return href;
}

/** Without a display, `xdg-open` would start a text browser, if anything, in nobody's sight. */
function hasBrowser(platform: string, env: Readonly<Record<string, string | undefined>>): boolean {
  if (platform !== 'linux') return true;
  return !!(env['DISPLAY'] || env['WAYLAND_DISPLAY'] || env['WSL_DISTRO_NAME'] || env['BROWSER']);
}

async function launchWithOpen(url: string): Promise<Launched> {
  const { default: open } = await import('open');
  const child = await open(url); // no shell, and its own reference to the child already dropped
  const exitCode = new Promise<number | null>((resolve, reject) => {
    // On Windows the program has ended by now.
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    child.once('error', reject);
    child.once('exit', resolve);
  });
  return { exitCode };
}

/**
 * Opens the user's own browser, with the address as the one argument of a program that no shell starts.
 *
 * Rejects with `browser_not_opened` when that program cannot be started or fails within a moment. That
 * it succeeded does not prove that a window appeared: offer the address for copying too.
 */
export function createSystemBrowser({
  platform = process.platform,
  env = process.env,
  launch = launchWithOpen,
  patienceMs = 3_000,
}: SystemBrowserOptions = {}): (url: string) => Promise<void> {
  return async (url) => {
    const href = readBrowserUrl(url);
    if (!hasBrowser(platform, env)) throw new MortiseError('browser_not_opened', {});

    let timer: NodeJS.Timeout | undefined;
    const stillRuns = new Promise<true>((resolve) => {
      timer = setTimeout(resolve, patienceMs, true);
      timer.unref(); // the sign-in keeps the process alive, not this
    });
    const succeeded = async () => (await (await launch(href)).exitCode) === 0;
    try {
      const opened = await Promise.race([succeeded().catch(() => false), stillRuns]);
      if (!opened) throw new MortiseError('browser_not_opened', {});
    } finally {
      clearTimeout(timer);
    }
  };
}
