import { existsSync } from 'node:fs';
import type { Browser, LaunchOptions } from 'puppeteer-core';

const PLACES = [
  process.env['FIREFOX'],
  '/usr/bin/firefox-esr',
  '/usr/bin/firefox',
  '/Applications/Firefox.app/Contents/MacOS/firefox',
  'C:\\Program Files\\Mozilla Firefox\\firefox.exe',
];

/** A Firefox of this machine; the environment variable `FIREFOX` comes first. */
export const firefox = PLACES.find((path) => path && existsSync(path));

const options: LaunchOptions = {
  browser: 'firefox',
  ...(firefox && { executablePath: firefox }),
  headless: true,
  extraPrefsFirefox: {
    // As a person has it: a window opens only inside a click.
    'dom.disable_open_during_load': true,
    // A name without a secure context, as a panel behind plain http has.
    'network.dns.localDomains': 'plugin.test',
  },
};

/**
 * Starts it, driven by WebDriver BiDi with its own empty profile: `const browser = await launchFirefox()`, then
 * `browser.newPage()` as puppeteer-core has it. `browser.close()` ends the process. `preferences`: more of `about:config`.
 */
export async function launchFirefox(preferences: Record<string, unknown> = {}): Promise<Browser> {
  const { launch } = await import('puppeteer-core');
  const extraPrefsFirefox = { ...options.extraPrefsFirefox, ...preferences };
  return launch({ ...options, extraPrefsFirefox });
}

/** As `describe`. Without a browser it fails in CI, and elsewhere says what was left out. */
export function describeInFirefox(name: string, tests: () => void): void {
  if (firefox) return describe(name, tests);
  const notice = `"${name}" needs Firefox: install it, or set FIREFOX to the path of one.`;
  if (process.env['CI']) {
    test(name, () => {
      throw new Error(notice);
    });
    return;
  }
  process.stderr.write(`\nLEFT OUT: ${notice}\n\n`);
  describe.skip(name, tests);
}
