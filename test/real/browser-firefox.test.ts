// A page that signs in by pop-up in a real Firefox.
import type { Browser, Page, Target } from 'puppeteer-core';
import { describeInFirefox, launchFirefox } from '../support/firefox.js';
import { describePopups } from '../support/popup-matrix.js';
import { ALLOW, asTab, serveApp, type Driver } from '../support/popup-pages.js';

/** Two busy cores are slow, and nothing here is about speed. */
jest.setTimeout(40_000);

let browser: Browser;

const driver: Driver = {
  async open(url) {
    const page = await browser.newPage();
    await page.goto(url);
    return asTab(page);
  },
  async opened(act) {
    const coming = new Promise<Page | null>((resolve, reject) => {
      const take = (target: Target) => {
        if (target.type() !== 'page') return; // a frame
        browser.off('targetcreated', take);
        target.page().then(resolve, reject);
      };
      browser.on('targetcreated', take);
    });
    await act();
    const page = await coming;
    if (!page) throw new Error('nothing was opened');
    return asTab(page);
  },
};

describeInFirefox('in Firefox', () => {
  beforeAll(async () => {
    browser = await launchFirefox();
    // The library is built once, and not on the first test's time.
    await (await serveApp()).close();
  }, 60_000);
  afterAll(() => browser?.close());

  describePopups(() => driver);

  test('case 71: the browser’s own blocker stops what is no click, and the link helps', async () => {
    const app = await serveApp();
    const script = `${app.script}\n document.querySelector('#in').onclick();`;
    app.stage.page('/at-once', { script, body: app.body });
    const page = await driver.open(`${app.stage.origin}/at-once`);
    await page.until(`app.errors.includes('popup_blocked')`);
    const tab = await driver.opened(() => page.click('#link'));
    await tab.waitForSelector(ALLOW);
    await tab.click(ALLOW);
    await page.until(`app.outcome === 'signedIn'`);
    await page.close();
    await app.close();
  });
});
