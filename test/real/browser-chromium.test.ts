// A page that signs in by pop-up and by redirect, in a real Chromium.
import type { HttpRequest } from 'mortise';
import type { Sandbox } from 'mortise/sandbox';
import type { Browser, BrowserContext } from 'playwright-core';
import { describeInChromium, wholeBrowser } from '../support/chromium.js';
import { describePopups } from '../support/popup-matrix.js';
import {
  ALLOW,
  REDIRECT_PAGE,
  asTab,
  openApp,
  serveApp,
  type App,
  type AppOptions,
  type Driver,
  type Tab,
} from '../support/popup-pages.js';
import { STRICT_CSP } from '../support/web-stage.js';

/** Two busy cores are slow, and nothing here is about speed. */
jest.setTimeout(40_000);

let browser: Browser;
let context: BrowserContext;

const driver: Driver = {
  async open(url) {
    const page = await context.newPage();
    await page.goto(url);
    return asTab(page);
  },
  async opened(act) {
    const [page] = await Promise.all([context.waitForEvent('page'), act()]);
    return asTab(page);
  },
};

describeInChromium('in Chromium', () => {
  beforeAll(async () => {
    const { chromium } = await import('playwright-core');
    browser = await chromium.launch(wholeBrowser);
    // The library is built once, and not on the first test's time.
    await (await serveApp()).close();
    context = await browser.newContext();
    context.setDefaultTimeout(20_000);
  }, 60_000);
  afterAll(() => browser?.close());

  describePopups(() => driver);

  describe('and beyond pop-ups', () => {
    let app: App;
    let page: Tab;

    const start = async (options: AppOptions = {}) => {
      app = await serveApp(options);
      page = await openApp(driver, app.appUrl);
    };
    afterEach(async () => {
      await Promise.all(context.pages().map((it) => it.close()));
      await app?.close();
    });

    const signIn = async () => {
      const popup = await driver.opened(() => page.click('#in'));
      await popup.click(ALLOW);
      await page.until('app.outcome !== null');
      return page.evaluate('app.outcome');
    };

    test('case 65: a page without an origin opens no window, and its redirect page gives nothing', async () => {
      await start();
      const headers = { 'content-security-policy': 'sandbox allow-scripts allow-popups' };
      const { script, body, redirectUri } = app;
      app.stage.page('/opaque', { script, body, headers });
      app.stage.page('/opaque-redirect', { ...REDIRECT_PAGE, headers });
      // A page without an origin may load modules only from who says so.
      await context.route(/\.js$/, async (route) => {
        const response = await route.fetch();
        const more = { 'access-control-allow-origin': '*' };
        await route.fulfill({ response, headers: { ...response.headers(), ...more } });
      });
      try {
        const opaque = await openApp(driver, `${app.stage.origin}/opaque`);
        expect(await opaque.evaluate('origin')).toBe('null');
        const count = context.pages().length;
        await opaque.click('#in');
        await opaque.until('app.outcome !== null');
        expect(await opaque.evaluate('app.outcome')).toBe('configuration_error');
        expect(context.pages()).toHaveLength(count);
        const redirect = await driver.open(`${redirectUri}/opaque-redirect?code=c&state=s`);
        await redirect.until('window.delivery');
        expect(await redirect.evaluate('delivery.kind')).toBe('refused');
      } finally {
        await context.unroute(/\.js$/);
      }
    });

    test.each(['prevu3d', 'speckle'] as const)(
      '%s: signs in by a full-page redirect, browses, signs out',
      async (provider) => {
        const store = { host: 'store: browser.indexedDbStore()' };
        await start({ provider, ...store });
        // The same page, but for what it does first.
        app.stage.page(app.redirectPath, {
          script: `${app.script}
            try {
              await session.completeSignIn(browser.takeRedirectUrl());
              app.outcome = 'signedIn';
            } catch (error) {
              app.outcome = error.code;
            }`,
          body: app.body,
          headers: STRICT_CSP,
        });
        await page.click('#away');
        await page.waitForSelector(ALLOW);
        await page.click(ALLOW);
        await page.until('window.app?.outcome');
        expect(await page.evaluate('app.outcome')).toBe('signedIn');
        expect(await page.evaluate('location.search')).toBe('');
        const calls = {
          prevu3d: 'app.session.api.getApiInfo()',
          speckle: 'app.session.api.activeUser()',
        };
        expect(await page.evaluate(calls[provider])).toBeTruthy();
        // The next page of the app finds the session, and a reload does not sign in again.
        await page.reload();
        await page.until('window.app?.outcome');
        expect(await page.evaluate('app.outcome')).toBe('malformed_response');
        await page.goto(app.appUrl);
        await page.until('window.app?.isReady');
        await page.evaluate('app.session.restore()');
        expect(await page.evaluate('app.session.state.name')).toBe('signedIn');
        expect(await page.evaluate('app.host.store.name')).toMatch(/indexeddb/i);
        await page.evaluate('app.session.signOut()');
        expect(await page.evaluate('app.session.state.name')).toBe('signedOut');
      },
    );

    test('a redirect that no page waits for can be completed by the page it came to', async () => {
      await start({ host: 'store: browser.indexedDbStore()' });
      app.stage.page(app.redirectPath, {
        script: `${app.script}
          const delivery = await browser.deliverRedirect({ answerWithinMs: 50 });
          app.told = JSON.stringify(delivery);
          if (delivery.kind === 'nobody') await session.completeSignIn(delivery.redirectUrl());
          app.outcome = delivery.kind;`,
        body: app.body,
      });
      await page.click('#away');
      await page.waitForSelector(ALLOW);
      await page.click(ALLOW);
      await page.until('window.app?.outcome');
      expect(await page.evaluate('app.session.state.name')).toBe('signedIn');
      expect(await page.evaluate('app.told')).toBe('{"kind":"nobody"}');
    });

    test('case 77: by default nothing is kept beyond the page', async () => {
      await start();
      expect(await signIn()).toBe('signedIn');
      const kept = `(async () => [
        { ...localStorage }, { ...sessionStorage }, document.cookie, await indexedDB.databases(),
      ])()`;
      expect(await page.evaluate(kept)).toEqual([{}, {}, '', []]);
      await page.reload();
      await page.until('window.app?.isReady');
      await page.evaluate('app.session.restore()');
      expect(await page.evaluate('app.session.state.name')).toBe('signedOut');
    });

    test('case 75: a token request says nothing of the page and brings no cookie', async () => {
      const seen: HttpRequest['headers'][] = [];
      const watch =
        (sandbox: Sandbox): Sandbox =>
        (request) => {
          if (request.method === 'POST' && request.url.endsWith('/token')) {
            seen.push(request.headers);
          }
          return sandbox(request);
        };
      await start({ bend: watch });
      // A cookie knows no port, so the platform would have it as well.
      await page.evaluate(`document.cookie = 'marked=yes; path=/'`);
      expect(await signIn()).toBe('signedIn');
      expect(app.stage.requests.some(({ headers }) => /marked/.test(headers.cookie ?? ''))).toBe(
        true,
      );
      expect(seen).toHaveLength(1);
      expect(seen[0]).not.toHaveProperty('cookie');
      expect(seen[0]).not.toHaveProperty('referer');
      expect(seen[0]).toHaveProperty('cache-control', 'no-cache');
    });

    test('case 79: a server without CORS is network_error, and signs nobody out', async () => {
      let isBlocked = true;
      const block =
        (sandbox: Sandbox): Sandbox =>
        async (request) => {
          const response = await sandbox(request);
          if (!isBlocked || !request.url.endsWith('/token')) return response;
          const headers = new Map(response.headers);
          headers.delete('access-control-allow-origin');
          return { ...response, headers };
        };
      await start({ bend: block });
      expect(await signIn()).toBe('network_error');
      isBlocked = false;
      expect(await signIn()).toBe('signedIn');
      isBlocked = true;
      await page.evaluate(
        `app.errors.length = 0; app.session.getAccessToken({ minValidityMs: 1e9 })`,
      );
      expect(await page.evaluate('app.errors')).toEqual(['network_error']);
      // The token that is there is still good.
      expect(await page.evaluate('app.session.state.name')).toBe('degraded');
    });
  });
});
