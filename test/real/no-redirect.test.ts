// The two ways to sign in that need no redirect, as the user sees them in a browser.
import {
  createSession,
  deviceUserAgent,
  memoryStore,
  pasteUserAgent,
  type UserAgent,
} from 'mortise';
import { createNodeHost, serveSandbox, type ServedSandbox } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { createSandbox, sandboxEnvironment } from 'mortise/sandbox';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { RedirectRule } from '../../src/ports/index.js';
import { describeInChromium, wholeBrowser } from '../support/chromium.js';

const scopes = ['data:read', 'data:write'];

/** Asks at once, so that nobody waits here. */
const hasty: UserAgent = {
  open(request) {
    const device = { ...request.device, wait: (ms: number) => request.device.wait(ms / 100) };
    return deviceUserAgent().open({ ...request, device });
  },
};

describeInChromium('without a redirect, in a real browser', () => {
  let browser: Browser;
  let context: BrowserContext;
  let served: ServedSandbox;
  let closers: (() => Promise<unknown>)[];

  beforeAll(async () => {
    const { chromium } = await import('playwright-core');
    browser = await chromium.launch(wholeBrowser);
  }, 60_000);
  afterAll(() => browser.close());

  beforeEach(async () => {
    context = await browser.newContext();
    served = await serveSandbox(createSandbox({ provider: 'oauth' }));
    closers = [() => context.close(), served.close];
  });
  afterEach(async () => {
    for (const close of closers) await close();
  });

  function start(userAgent: UserAgent, redirect?: RedirectRule) {
    const session = createSession({
      host: createNodeHost({ store: memoryStore(), userAgents: () => [userAgent] }),
      provider: oauth({
        clientId: 'plug-in',
        scopes,
        ...sandboxEnvironment('oauth', served.url),
        ...(redirect && { redirect }),
      }),
    });
    closers.unshift(() => session.close());
    const done = session.signIn();
    done.catch(() => {});
    const url = new Promise<string>((resolve) => {
      session.onChange(() => {
        if (session.state.name === 'authorizing' && session.state.authorizationUrl) {
          resolve(session.state.authorizationUrl);
        }
      });
    });
    return { session, done, url };
  }

  /** What is in the address bar: of a page that could not be loaded, the address that was asked for. */
  async function addressBar(page: Page): Promise<string> {
    const tools = await context.newCDPSession(page);
    const { entries, currentIndex } = await tools.send('Page.getNavigationHistory');
    return entries[currentIndex]?.url ?? '';
  }

  test.each<[string, RedirectRule]>([
    ['127.0.0.1', { loopback: '127.0.0.1', path: '/callback', ports: 'any' }],
    ['localhost', { loopback: 'localhost', path: '', ports: 'any' }],
  ])('the address to copy stays in the address bar, on %s', async (_, redirect) => {
    const { session, done, url } = start(pasteUserAgent(), redirect);
    const page = await context.newPage();
    await page.goto(await url);
    const failed = page.waitForEvent('requestfailed');
    await page.getByRole('button', { name: 'Allow' }).click({ noWaitAfter: true });
    const { errorText } = (await failed).failure() ?? {};
    // Refused by the machine, as on a port that nobody has: other browsers tell no address where they refuse.
    expect(errorText).toBe('net::ERR_CONNECTION_REFUSED');
    await page.getByText('This site can’t be reached').waitFor();
    const address = await addressBar(page);
    expect(new URL(address).searchParams.get('code')).toMatch(/^sandbox-code-/);
    await session.completeSignIn(address);
    await done;
    expect(session.state.name).toBe('signedIn');
  });

  test('a code is typed and answered by keyboard alone', async () => {
    const { session, done, url } = start(hasty);
    await url;
    const { device } = session.state as Extract<typeof session.state, { name: 'authorizing' }>;
    const page = await context.newPage();
    await page.setViewportSize({ width: 320, height: 640 });
    await page.goto(device?.verificationUri ?? '');
    const isWide = () => page.evaluate('document.documentElement.scrollWidth > innerWidth');
    await page.keyboard.type('xxxx');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    const field = page.getByLabel('The code that your device shows');
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await isWide()).toBe(false);
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(device?.userCode.toLowerCase() ?? '');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Allow access on another device?' }).waitFor();
    await expect(page.getByText(device?.userCode ?? '').isVisible()).resolves.toBe(true);
    expect(await isWide()).toBe(false);
    const allow = page.getByRole('button', { name: 'Allow' });
    for (let count = 0; count < 9; count += 1) {
      if (await allow.evaluate('(button) => button === document.activeElement')) break;
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Access is allowed' }).waitFor();
    await done;
    expect(session.state).toMatchObject({ name: 'signedIn', scopes });
  });
});
