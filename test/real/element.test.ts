// The element on a page that lets nothing inline and no unchecked HTML pass: looks, keyboard, and those who cannot see.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { BREACHES, CALLS, SHOWN, serveElement, show } from '../adapters/element/element-page.js';
import { describeInChromium, launchOptions } from '../support/chromium.js';
import { serveStage, type Stage } from '../support/web-stage.js';

/** Set, it names a folder for pictures to look at. */
const SHOTS = process.env['SHOTS'];

const LOOKS = [
  { name: 'light', colorScheme: 'light', width: 640, fontSize: 16 },
  { name: 'dark', colorScheme: 'dark', width: 640, fontSize: 16 },
  { name: 'narrow', colorScheme: 'light', width: 320, fontSize: 16 },
  { name: 'narrow-twice', colorScheme: 'dark', width: 320, fontSize: 32 },
] as const;

let stage: Stage;
let browser: Browser;
let page: Page;
let complaints: string[];

const focused = () =>
  page.evaluate(() => {
    const { activeElement } = document.querySelector('mortise-sign-in')!.shadowRoot!;
    return activeElement?.getAttribute('part') ?? null;
  });

describeInChromium('the element in Chromium', () => {
  beforeAll(async () => {
    const { chromium } = await import('playwright-core');
    stage = await serveStage(['mortise/element']);
    browser = await chromium.launch(launchOptions);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });

  beforeEach(async () => {
    complaints = [];
    page = await browser.newPage();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(serveElement(stage));
    await page.waitForFunction('globalThis.stage');
  });

  afterEach(async () => {
    // case 78: `script-src 'self'`, `style-src 'self'` and Trusted Types are kept throughout.
    expect(await page.evaluate(BREACHES)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test.each(LOOKS)(
    '$name: everything it shows fits, and can be read by all',
    async ({ name, colorScheme, width, fontSize }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 480 });
      await page.evaluate((px) => (document.documentElement.style.fontSize = `${px}px`), fontSize);
      await page.evaluate(axe.source);
      // Begun here, so that it can be cancelled here.
      await page.getByRole('button', { name: 'Sign in' }).click();
      for (const state of Object.keys(SHOWN)) {
        await page.evaluate(show(state));
        const found = await page.evaluate(() => {
          const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
          const { scrollWidth, clientWidth } = document.documentElement;
          return axe.run(document.querySelector('main')!).then(({ violations, passes }) => ({
            violations: violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
            checksContrast: passes.some(({ id }) => id === 'color-contrast'),
            isTooWide: scrollWidth > clientWidth,
          }));
        });
        expect({ state, ...found }).toEqual({
          state,
          violations: [],
          checksContrast: true,
          isTooWide: false,
        });
        if (SHOTS) {
          mkdirSync(SHOTS, { recursive: true });
          const path = join(SHOTS, `${state.replace(' ', '-')}.${name}.png`);
          await page.screenshot({ path, fullPage: true });
        }
      }
    },
    60_000,
  );

  test('moves only for those who want it to', async () => {
    await page.evaluate(show('exchanging'));
    const animation = () =>
      page.locator('[part=spinner]').evaluate((it) => getComputedStyle(it).animationName);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    expect(await animation()).toBe('turn');
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await animation()).toBe('none');
  });

  test('is done with the keyboard alone', async () => {
    const { keyboard } = page;
    await keyboard.press('Tab');
    expect(await focused()).toBe('button main sign-in');
    await keyboard.press('Enter');
    expect(await page.evaluate(CALLS)).toEqual(['signIn']);
    await page.evaluate(show('waiting'));
    // Enter once more, by one who holds it down, does nothing.
    expect(await focused()).toBe('panel');
    await keyboard.press('Enter');
    await keyboard.press('Tab');
    expect(await focused()).toBe('button cancel');
    await page.evaluate(show('lost'));
    expect(await focused()).toBe('button cancel');
    await keyboard.press('Enter');
    expect(await page.evaluate(CALLS)).toEqual(['signIn', 'cancelled']);
    await page.evaluate(show('paste'));
    await page.getByLabel('Address or code').focus();
    await keyboard.type('the address');
    await keyboard.press('Enter');
    expect(await page.evaluate(CALLS)).toEqual(['signIn', 'cancelled', 'pasted the address']);
    await keyboard.press('Shift+Tab');
    expect(await focused()).toBe('link link-button main');
  });

  test('tells those who cannot see what is new, and not the seconds', async () => {
    const said = () => page.getByRole('status').innerText();
    await page.evaluate(show('waiting'));
    expect(await said()).toBe('Continue in the window that has opened.');
    await page.evaluate(show('blocked'));
    expect(await said()).toContain('The browser has blocked the sign-in window.');
    expect(await page.getByRole('timer').innerText()).toMatch(/^[45]:\d\d left$/);
    await expect(page.getByRole('group', { name: 'Sign-in' }).count()).resolves.toBe(1);
    await expect(page.getByRole('link', { name: 'Open the sign-in page' }).count()).resolves.toBe(
      1,
    );
    await page.evaluate(show('paste'));
    await page.getByLabel('Address or code').fill('the address');
    await page.getByRole('button', { name: 'Continue' }).click();
    expect(await page.evaluate(CALLS)).toEqual(['pasted the address']);
  });

  test('is styled by the page, through properties and parts', async () => {
    await page.evaluate(() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(
        'mortise-sign-in { --mortise-accent: rgb(0, 90, 0) } mortise-sign-in::part(panel) { border-width: 3px }',
      );
      document.adoptedStyleSheets = [sheet];
    });
    const look = (part: string) =>
      page.locator(`[part~=${part}]`).evaluate((it) => {
        const { backgroundColor, borderTopWidth } = getComputedStyle(it);
        return { backgroundColor, borderTopWidth };
      });
    expect((await look('sign-in')).backgroundColor).toBe('rgb(0, 90, 0)');
    expect((await look('panel')).borderTopWidth).toBe('3px');
  });
});
