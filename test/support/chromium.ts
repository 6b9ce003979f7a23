import { existsSync } from 'node:fs';
import type { LaunchOptions } from 'playwright-core';

const PLACES = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** A Chromium, Chrome or Edge of this machine; the environment variable `CHROMIUM` comes first. */
export const chromium = PLACES.find((path) => path && existsSync(path));

/** The same engine without windows, tabs and menus around it: half the work. */
const HEADLESS_SHELL = '/usr/bin/chromium-headless-shell';
const engine = process.env['CHROMIUM'] || !existsSync(HEADLESS_SHELL) ? chromium : HEADLESS_SHELL;

/** The browser talks to the page under test and nobody else. */
const launching = (executablePath: string | undefined): LaunchOptions => ({
  ...(executablePath && { executablePath }),
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // Or the console of every page would be ours.
    '--enable-logging=none',
  ],
});

/** For playwright-core's `chromium.launch`. */
export const launchOptions = launching(engine);

/** Where it matters what a person sees around the page: windows, the address bar, the browser's own pages. */
export const wholeBrowser = launching(chromium);

/** As `describe`. Without a browser it fails in CI, and elsewhere says what was left out. */
export function describeInChromium(name: string, tests: () => void): void {
  if (chromium) return describe(name, tests);
  const notice = `"${name}" needs Chromium: install it, or set CHROMIUM to the path of one.`;
  if (process.env['CI']) {
    test(name, () => {
      throw new Error(notice);
    });
    return;
  }
  process.stderr.write(`\nLEFT OUT: ${notice}\n\n`);
  describe.skip(name, tests);
}
