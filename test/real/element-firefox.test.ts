// The element in Firefox, on a page that lets nothing inline and no unchecked HTML pass.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { BREACHES, CALLS, SHOWN, serveElement, show } from '../adapters/element/element-page.js';
import { describeInFirefox, launchFirefox } from '../support/firefox.js';
import { serveStage, type Stage } from '../support/web-stage.js';

/** Set, it names a folder for pictures to look at. */
const SHOTS = process.env['SHOTS'];

const FOCUSED = `document.querySelector('mortise-sign-in').shadowRoot.activeElement?.getAttribute('part') ?? null`;
const IS_TOO_WIDE = `document.documentElement.scrollWidth > document.documentElement.clientWidth`;
const RADIUS = `getComputedStyle(document.querySelector('mortise-sign-in').shadowRoot.querySelector('[part=panel]')).borderTopLeftRadius`;

describeInFirefox('the element in Firefox', () => {
  let stage: Stage;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    stage = await serveStage(['mortise/element']);
    browser = await launchFirefox();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });

  beforeEach(async () => {
    page = await browser.newPage();
    await page.goto(serveElement(stage));
    await page.waitForFunction('globalThis.stage');
  });

  afterEach(async () => {
    // case 78
    expect(await page.evaluate(BREACHES)).toEqual([]);
    await page.close();
  });

  test('has its looks, and fits a narrow page with text of twice the size', async () => {
    await page.setViewport({ width: 320, height: 480 });
    await page.evaluate(`document.documentElement.style.fontSize = '32px'`);
    expect(await page.evaluate(RADIUS)).toBe('16px');
    for (const state of Object.keys(SHOWN)) {
      await page.evaluate(show(state));
      expect([state, await page.evaluate(IS_TOO_WIDE)]).toEqual([state, false]);
      if (SHOTS) {
        mkdirSync(SHOTS, { recursive: true });
        const path = join(SHOTS, `${state.replace(' ', '-')}.firefox.png`) as `${string}.png`;
        await page.screenshot({ path, fullPage: true });
      }
    }
  }, 60_000);

  test('is done with the keyboard alone', async () => {
    const { keyboard } = page;
    await keyboard.press('Tab');
    expect(await page.evaluate(FOCUSED)).toBe('button main sign-in');
    await keyboard.press('Enter');
    await page.evaluate(show('waiting'));
    expect(await page.evaluate(FOCUSED)).toBe('panel');
    await keyboard.press('Tab');
    expect(await page.evaluate(FOCUSED)).toBe('button cancel');
    await page.evaluate(show('lost'));
    expect(await page.evaluate(FOCUSED)).toBe('button cancel');
    await keyboard.press('Enter');
    expect(await page.evaluate(CALLS)).toEqual(['signIn', 'cancelled']);
    await page.evaluate(show('paste'));
    // Past Continue.
    await keyboard.down('Shift');
    await keyboard.press('Tab');
    await keyboard.press('Tab');
    await keyboard.up('Shift');
    await keyboard.type('the address');
    await keyboard.press('Enter');
    expect(await page.evaluate(CALLS)).toEqual(['signIn', 'cancelled', 'pasted the address']);
  }, 60_000);
});
