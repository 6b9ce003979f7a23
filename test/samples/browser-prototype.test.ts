// The prototype as a person has it: one HTML file beside the files of the package, in a browser as old as those in CAD.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { describeInChromium, launchOptions } from '../support/chromium.js';

const root = resolve(__dirname, '../..');

/** What Chrome 88 does not have, which is in SketchUp 2021: taken away before anything of the page runs. */
const AGE = `
for (const [owner, names] of [
  [globalThis, 'structuredClone'],
  [Object, 'hasOwn groupBy'],
  [Map, 'groupBy'],
  [Array, 'fromAsync'],
  [Array.prototype, 'at findLast findLastIndex toReversed toSorted toSpliced with'],
  [String.prototype, 'at isWellFormed toWellFormed'],
  [Object.getPrototypeOf(Uint8Array.prototype), 'at findLast toReversed toSorted with'],
  [Uint8Array, 'fromHex fromBase64'],
  [Uint8Array.prototype, 'toHex toBase64'],
  [Promise, 'withResolvers try'],
  [Crypto.prototype, 'randomUUID'],
  [AbortSignal, 'any timeout abort'],
  [AbortSignal.prototype, 'reason throwIfAborted'],
  [URL, 'canParse parse'],
  [ReadableStream, 'from'],
  [Intl, 'DurationFormat'],
]) for (const name of names.split(' ')) delete owner[name];
delete ReadableStream.prototype[Symbol.asyncIterator];
`;

let browser: Browser;
let sample: ChildProcess;
let page: Page;
let complaints: string[];

/** Starts it, and returns the address it prints. */
async function start(args: readonly string[]): Promise<string> {
  sample = spawn(process.execPath, ['.ci/sample.mjs', 'browser-prototype', '--serve', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  for await (const text of sample.stdout!.setEncoding('utf8')) {
    printed += text;
    const [, address] = /^(http:\/\/localhost:\d+\/)\n/m.exec(printed) ?? [];
    if (address) return address;
  }
  throw new Error(`no address in: ${printed}`);
}

function watch(it: Page): void {
  it.on('console', (message) => {
    // The browser's own word on every answer that is no success.
    if (!message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  it.on('pageerror', (error) => complaints.push(String(error)));
}

/** Clicks Sign in, and on what opens. */
async function signIn(decision: 'Allow' | 'Deny'): Promise<void> {
  const opening = page.waitForEvent('popup');
  await page.getByRole('button', { name: 'Sign in' }).click();
  const popup = await opening;
  watch(popup);
  await popup.getByRole('button', { name: decision, exact: true }).click();
  if (!popup.isClosed()) await popup.waitForEvent('close');
}

const status = () => page.locator('mortise-sign-in').getByRole('status');

describeInChromium('the prototype, in a browser of 2021', () => {
  beforeAll(async () => {
    // As `npm run sample` does first. Nothing happens when there is nothing to do.
    expect(spawnSync(process.execPath, ['.ci/setup.mjs'], { cwd: root }).status).toBe(0);
    const { chromium } = await import('playwright-core');
    browser = await chromium.launch(launchOptions);
  }, 180_000);

  afterAll(() => browser?.close());

  beforeEach(async () => {
    complaints = [];
    const context = await browser.newContext();
    await context.addInitScript(AGE);
    page = await context.newPage();
    watch(page);
  });

  afterEach(async () => {
    await page.context().close();
    sample.kill('SIGINT');
    const [exitCode] = sample.exitCode === null ? await once(sample, 'exit') : [sample.exitCode];
    expect(exitCode).toBe(0);
    expect(complaints).toEqual([]);
  });

  test('signs in by a window, shows the tree of divisions, and signs out', async () => {
    const address = await start([]);
    await page.goto(address);
    await signIn('Allow');
    await status().getByText('Signed in as John Doe').waitFor();
    await page.getByText('Oil & Gas').waitFor();
    await page.getByText('Manufacturing').click();
    await page.getByText('Longueuil Plant').click();
    await page.getByText('Level 1').click();
    await page.getByText('Pipe rack scan').waitFor();
    await page.getByText('Empty').click();
    await page.getByText('Nothing here.').waitFor();
    expect(page.url()).toBe(address);

    await page.getByRole('button', { name: 'Sign out' }).click();
    await status().getByText('You are not signed in.').waitFor();
    expect(await page.locator('#content').innerText()).toBe('');
  }, 60_000);

  test('says what to do when the user does not allow it, and can be tried again', async () => {
    await page.goto(await start([]));
    await signIn('Deny');
    await status().getByText('Access was not allowed.').waitFor();
    await signIn('Allow');
    await page.getByText('Oil & Gas').waitFor();
  }, 60_000);

  test('says why nothing is listed', async () => {
    await page.goto(await start(['--fault', 'api-403@browse']));
    await signIn('Allow');
    await page.getByText('Ask your Prevu3D administrator.').waitFor();
  }, 60_000);

  test('does the same for Speckle', async () => {
    await page.goto(await start(['--speckle']));
    await signIn('Allow');
    await status().getByText('Signed in as John Doe').waitFor();
    await page.getByText('Harbour Bridge').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await status().getByText('You are not signed in.').waitFor();
  }, 60_000);
});
