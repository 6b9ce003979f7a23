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

/** For playwright-core's `chromium.launch`. The browser talks to the page under test and nobody else. */
export const launchOptions: LaunchOptions = {
  ...(chromium && { executablePath: chromium }),
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

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
