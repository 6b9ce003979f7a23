// The end of a sign-in as a browser shows it, and what a page somewhere else can do meanwhile.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSession, memoryStore, type HttpRequest, type MortiseError } from 'mortise';
import { createNodeHost, fetchTransport, serveSandbox, type ServedSandbox } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { prevu3d } from 'mortise/providers/prevu3d';
import { createSandbox, sandboxEnvironment, type FaultSwitch } from 'mortise/sandbox';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { describeInChromium, launchOptions } from '../support/chromium.js';
import { startOidcServers } from '../support/oidc-process.js';

/** In a title, a text, a log or a history this would be a leak or an execution. */
const MARK = 'canary';
const SCRIPT = `<img src=x onerror="document.title='${MARK}';alert('${MARK}')"><script>alert('${MARK}')</script>`;

let browser: Browser;
let context: BrowserContext;
let closers: (() => Promise<unknown>)[];

/** Whatever is loaded, said, thrown or popped up, on any page of the test. */
let requests: string[];
let complaints: string[];

function watch(page: Page): Page {
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return page;
}

async function serve(faults: readonly FaultSwitch[] = []): Promise<ServedSandbox> {
  const served = await serveSandbox(createSandbox({ provider: 'prevu3d', faults }));
  closers.push(served.close);
  return served;
}

/** Some other site. A name of its own, so that the browser sees another site, not only another origin. */
async function serveSite(answer: (request: IncomingMessage) => string) {
  const server: Server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(answer(request));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  closers.push(
    () =>
      new Promise((closed) => {
        server.close(closed);
        server.closeAllConnections();
      }),
  );
  return `http://site.localhost:${(server.address() as AddressInfo).port}`;
}

interface Options {
  readonly faults?: readonly FaultSwitch[];
  /** Awaited before a token request is sent. */
  readonly beforeExchange?: () => Promise<void>;
}

/** A plug-in that has sent its user to the sandbox’s consent page. */
async function startSignIn({ faults = [], beforeExchange }: Options = {}) {
  const { url } = await serve(faults);
  const page = watch(await context.newPage());
  const send = fetchTransport();
  const tokenRequests: HttpRequest[] = [];
  let shown = (_: string) => {};
  const asked = new Promise<string>((resolve) => (shown = resolve));
  const session = createSession({
    host: createNodeHost({
      store: memoryStore(),
      async http(request) {
        if (!request.url.endsWith('/oauth/token')) return send(request);
        tokenRequests.push(request);
        await beforeExchange?.();
        return send(request);
      },
      async openBrowser(address) {
        await page.goto(address);
        shown(address);
      },
    }),
    provider: prevu3d({
      clientId: 'plug-in',
      scopes: ['read:basic', 'read:hierarchy'],
      environment: sandboxEnvironment('prevu3d', url),
    }),
  });
  closers.push(() => session.close());
  const outcome = session.signIn({ timeoutMs: 10_000 }).then(
    () => null,
    (error: MortiseError) => error,
  );
  const address = new URL(await asked);
  const redirectUri = address.searchParams.get('redirect_uri') ?? '';
  const state = address.searchParams.get('state') ?? '';
  return {
    session,
    page,
    outcome,
    tokenRequests,
    redirectUri,
    state,
    /** Where the server would send the browser with these parameters. */
    redirectWith: (query: Record<string, string>, path = '/') =>
      `${redirectUri}${path}?${new URLSearchParams(query)}`,
  };
}

const click = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

const headingOf = (page: Page) => page.getByRole('heading').innerText();

/** What of ours has been in this tab’s address bar, as the history keeps it. */
async function historyOf(page: Page): Promise<string[]> {
  const devTools = await context.newCDPSession(page);
  const { entries } = await devTools.send('Page.getNavigationHistory');
  const { origin } = new URL(page.url());
  return entries.map(({ url }) => url).filter((url) => url.startsWith(origin));
}

/** The last page is ours, and says nothing of how it was reached. */
async function expectClean(page: Page, secrets: readonly string[]) {
  expect(await historyOf(page)).toEqual([page.url()]);
  const shown = [page.url(), await page.title(), await page.content()];
  for (const secret of secrets) expect(shown.join('\n')).not.toContain(secret);
  expect(await page.evaluate(() => document.referrer)).toBe('');
  expect(await page.evaluate(() => document.cookie)).toBe('');
}

describeInChromium('in Chromium', () => {
  beforeAll(async () => {
    const { chromium } = await import('playwright-core');
    browser = await chromium.launch(launchOptions);
    context = await browser.newContext();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    closers = [];
    requests = [];
    complaints = [];
  });
  afterEach(async () => {
    await Promise.all(context.pages().map((page) => page.close()));
    for (const close of closers.reverse()) await close();
  });

  describe('a person who clicks', () => {
    test('Allow is signed in; cases 40, 42 and 59: the last page keeps nothing', async () => {
      const { session, page, outcome, redirectUri, state, tokenRequests } = await startSignIn();
      expect(redirectUri).toMatch(/^http:\/\/localhost:\d+$/);
      expect(await headingOf(page)).toBe('Allow access?');
      await click(page, 'Allow');
      expect(await outcome).toBeNull();
      expect(await headingOf(page)).toBe('Signed in');
      expect(page.url()).toBe(`${redirectUri}/signed-in`);
      expect(await page.title()).toBe('Signed in');
      const code = new URLSearchParams(String(tokenRequests[0]?.body)).get('code') ?? '';
      await expectClean(page, [code, state, 'code=', 'state=']);
      expect(complaints).toEqual([]);
      expect(await session.api.getApiInfo()).toMatchObject({
        organization: { name: 'Test Organization' },
      });
    });

    test('case 40: nothing is loaded but the pages themselves', async () => {
      const { page, outcome, redirectUri } = await startSignIn();
      const consent = page.url();
      await click(page, 'Allow');
      await outcome;
      await page.waitForLoadState();
      expect(await page.evaluate(() => performance.getEntriesByType('resource'))).toEqual([]);
      const places = requests.map((url) => url.replace(/\?.*/, ''));
      const asked = consent.replace(/\?.*/, '');
      expect(places).toEqual([asked, asked, `${redirectUri}/`, `${redirectUri}/signed-in`]);
    });

    test('case 40: the next site in this tab does not learn where the user was', async () => {
      const headers: IncomingMessage['headers'][] = [];
      const site = await serveSite((request) => (headers.push(request.headers), 'elsewhere'));
      const { page, outcome } = await startSignIn();
      await click(page, 'Allow');
      await outcome;
      await page.evaluate((url) => (location.href = url), site);
      await page.waitForURL(`${site}/`);
      expect(headers[0]).not.toHaveProperty('referer');
      expect(await page.evaluate(() => [document.referrer, opener])).toEqual(['', null]);
    });

    test('the second organization gets that one', async () => {
      const { session, page, outcome } = await startSignIn();
      await page.getByLabel('Harbour Engineering').check();
      await page.getByLabel('read:basic').uncheck();
      await click(page, 'Allow');
      expect(await outcome).toBeNull();
      const { organization } = await session.api.getApiInfo();
      expect(organization.name).toBe('Harbour Engineering');
      expect(await session.api.browse(organization.id)).toMatchObject([{ name: 'Shipyards' }]);
    });

    test('Deny is told so, and what to do', async () => {
      const { session, page, outcome, redirectUri, state, tokenRequests } = await startSignIn();
      await click(page, 'Deny');
      expect(await outcome).toMatchObject({ code: 'access_denied' });
      expect(await headingOf(page)).toBe('Not signed in');
      expect(page.url()).toBe(`${redirectUri}/not-signed-in`);
      await page.getByText('click Allow').waitFor();
      await expectClean(page, [state, 'error=']);
      expect(complaints).toEqual([]);
      expect(tokenRequests).toEqual([]);
      expect(session.state).toMatchObject({ name: 'signedOut' });
    });

    test('back and reload at the end breaks nothing', async () => {
      const { page, outcome, session, tokenRequests } = await startSignIn();
      await click(page, 'Allow');
      await outcome;
      // The port is free by now, and the page is not kept: it is just not there any more.
      await page.reload().catch(() => {});
      await page.goBack().catch(() => {});
      expect(session.state.name).toBe('signedIn');
      expect(tokenRequests).toHaveLength(1);
    });

    test('signs in at a certified server’s own pages', async () => {
      const { issuer, clients, stop } = await startOidcServers();
      closers.push(stop);
      const page = watch(await context.newPage());
      const session = createSession({
        host: createNodeHost({
          store: memoryStore(),
          openBrowser: async (url) => void (await page.goto(url)),
        }),
        provider: oauth({ issuer, clientId: clients.native.client_id, scopes: ['openid'] }),
      });
      closers.push(() => session.close());
      const signedIn = session.signIn({ timeoutMs: 10_000 });
      await page.getByPlaceholder('Enter any login').fill('ada');
      await page.getByPlaceholder('and password').fill('lovelace');
      await click(page, 'Sign-in');
      await click(page, 'Continue');
      await signedIn;
      expect(await headingOf(page)).toBe('Signed in');
      await expectClean(page, ['code=', 'state=', 'iss=']);
      expect(await session.api.userInfo()).toEqual({ sub: 'ada' });
    });
  });

  describe('case 60: an exchange that fails', () => {
    test.each<[string, FaultSwitch, string, RegExp]>([
      ['the server refuses', 'exchange-invalid-grant', 'invalid_grant', /Sign in again/],
      ['the server is broken', 'token-502-html@exchange', 'http_error', /later/],
      ['the connection breaks', 'token-reset@exchange', 'network_error', /network connection/],
    ])('%s: the page never says “signed in”, and says what to do', async (_, fault, code, hint) => {
      let answer = () => {};
      const held = new Promise<void>((resolve) => (answer = resolve));
      const titles: string[] = [];
      const { page, outcome, tokenRequests } = await startSignIn({
        faults: [fault],
        beforeExchange: () => held,
      });
      page.on('domcontentloaded', async () => titles.push(await page.title()));
      const clicked = click(page, 'Allow');
      while (tokenRequests.length === 0) await page.waitForTimeout(10);
      // Nothing is known yet, so nothing is said yet: the browser still waits.
      expect(new URL(page.url()).pathname).toBe('/oauth');
      expect(titles).toEqual([]);
      answer();
      await clicked;
      expect(await outcome).toMatchObject({ code });
      expect(await headingOf(page)).toBe('Not signed in');
      await page.getByText(hint).waitFor();
      expect(titles).toEqual(['Not signed in']);
      expect(page.url()).toMatch(/\/not-signed-in$/);
    });
  });

  describe('case 57: a redirect full of script', () => {
    type Target = readonly [query: Record<string, string>, path?: string];
    const targets: [string, (signIn: { state: string }) => Target][] = [
      [
        'in the description of our own refusal',
        ({ state }) => [{ error: 'access_denied', error_description: SCRIPT, state }],
      ],
      ['in the error', ({ state }) => [{ error: SCRIPT, error_uri: SCRIPT, state }]],
      ['in the code', ({ state }) => [{ code: SCRIPT, state }]],
      ['in the state', () => [{ code: 'c', state: SCRIPT }]],
      ['in a name', () => [{ [SCRIPT]: SCRIPT }]],
      ['in the path', ({ state }) => [{ code: 'c', state }, `/${encodeURIComponent(SCRIPT)}`]],
      ['in the path, as it is', ({ state }) => [{ code: 'c', state }, `/${SCRIPT}`]],
    ];
    test.each(targets)('%s: nothing runs, nothing is repeated', async (_, build) => {
      const signIn = await startSignIn();
      const { page, redirectWith } = signIn;
      await page.goto(redirectWith(...build(signIn)));
      await page.waitForLoadState();
      expect(complaints.filter((text) => !/status of 40[04]/.test(text))).toEqual([]);
      expect(await page.title()).not.toContain(MARK);
      expect(await page.content()).not.toContain(MARK);
      expect(await page.locator('img, script, iframe, object').count()).toBe(0);
    });
  });

  describe('case 58: a redirect that names a place to go', () => {
    const away = (site: string) => ({
      next: site,
      return_to: site,
      redirect_uri: site,
      redirect: site,
      url: site,
      RelayState: site,
    });

    test.each(['right', 'wrong'])('with the %s state: nobody goes there', async (which) => {
      let visits = 0;
      const site = await serveSite(() => String((visits += 1)));
      const { page, outcome, state, redirectWith, redirectUri } = await startSignIn();
      const answer = which === 'right' ? { error: 'access_denied', state } : { state: site };
      await page.goto(redirectWith({ ...away(site), ...answer }));
      await page.waitForLoadState();
      expect(new URL(page.url()).origin).toBe(redirectUri);
      if (which === 'right') expect(await outcome).toMatchObject({ code: 'access_denied' });
      else expect(await headingOf(page)).toBe('Unexpected answer');
      expect(visits).toBe(0);
    });
  });

  describe('cases 51 and 52: what else a browser asks for', () => {
    test('an icon, a list for robots, a page: not here, and the sign-in goes on', async () => {
      const { page, outcome, session, redirectUri } = await startSignIn();
      const other = watch(await context.newPage());
      for (const path of ['/favicon.ico', '/robots.txt', '/signed-in', '/not-signed-in']) {
        const answer = await other.goto(redirectUri + path);
        expect([path, answer?.status()]).toEqual([path, 404]);
        expect(await headingOf(other)).toBe('Nothing here');
      }
      expect(session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 0 });
      await click(page, 'Allow');
      expect(await outcome).toBeNull();
    });

    test('the redirect once more in the same tab, and in a second: one token request', async () => {
      let answer = () => {};
      const held = new Promise<void>((resolve) => (answer = resolve));
      const { page, outcome, tokenRequests } = await startSignIn({ beforeExchange: () => held });
      const redirected = page.waitForRequest(/\?code=/);
      const clicked = click(page, 'Allow').catch(() => {});
      const url = (await redirected).url();
      const arrivesAgain = page.waitForRequest(url);
      const reloaded = page.goto(url);
      await arrivesAgain;
      const second = watch(await context.newPage());
      const arrivesElsewhere = second.waitForRequest(url);
      const opened = second.goto(url).catch(() => null);
      await arrivesElsewhere;
      await second.close();
      await Promise.all([opened, clicked]);
      await page.waitForTimeout(50); // for the news of it to arrive
      answer();
      expect(await outcome).toBeNull();
      await reloaded;
      expect(await headingOf(page)).toBe('Signed in');
      expect(tokenRequests).toHaveLength(1);
    });
  });

  describe('a page of another site, while the sign-in waits', () => {
    /** Every way to make a browser send a request without anybody seeing it. */
    const attack = async (targets: string[]) => {
      const element = (name: string, attributes: Record<string, string>) =>
        new Promise((done) => {
          const made = Object.assign(document.createElement(name), attributes);
          made.onload = made.onerror = done;
          document.body.append(made);
          setTimeout(done, 500);
        });
      const post = (target: string) =>
        new Promise((done) => {
          const frame = Object.assign(document.createElement('iframe'), {
            name: `f${Math.random()}`,
          });
          document.body.append(frame);
          const form = Object.assign(document.createElement('form'), {
            method: 'post',
            action: target,
            target: frame.name,
          });
          document.body.append(form);
          form.submit();
          setTimeout(done, 300);
        });
      await Promise.all(
        targets.flatMap((target) => [
          fetch(target).catch(() => {}),
          fetch(target, { mode: 'no-cors', credentials: 'include' }).catch(() => {}),
          fetch(target, { mode: 'no-cors', method: 'POST', body: 'code=c' }).catch(() => {}),
          navigator.sendBeacon(target, 'code=c'),
          element('img', { src: target }),
          element('script', { src: target }),
          element('iframe', { src: target }),
          element('embed', { src: target }),
          element('object', { data: target }),
          element('video', { src: target }),
          element('link', { rel: 'stylesheet', href: target }),
          element('link', { rel: 'prefetch', href: target }),
          element('link', { rel: 'preload', as: 'image', href: target }),
          element('link', { rel: 'icon', href: target }),
          post(target),
        ]),
      );
    };

    test('can neither answer nor end it, even if it knew the state', async () => {
      const site = await serveSite(() => '<!doctype html><body>an ordinary page');
      const signIn = await startSignIn();
      const { page, outcome, session, state, redirectWith, redirectUri, tokenRequests } = signIn;
      const evil = await context.newPage();
      await evil.goto(site);
      const statuses = new Set<number>();
      evil.on('response', (response) => {
        if (response.url().startsWith(redirectUri)) statuses.add(response.status());
      });
      await evil.evaluate(attack, [
        redirectWith({ code: 'of-somebody-else', state }),
        redirectWith({ error: 'access_denied', state }),
        redirectWith({ error: 'access_denied' }),
      ]);
      // It did get through to the port, where all of it was refused. A busy machine's browser takes its time.
      while (statuses.size < 2) await evil.waitForTimeout(20);
      expect([...statuses].sort()).toEqual([403, 405]);
      expect(session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 0 });
      expect(tokenRequests).toEqual([]);
      await click(page, 'Allow');
      expect(await outcome).toBeNull();
    });

    test('cannot end it in a window of its own either, not knowing the state', async () => {
      const signIn = await startSignIn();
      const { page, outcome, session, redirectWith } = signIn;
      const guess = redirectWith({ error: 'access_denied', state: 'a-guess' });
      const site = await serveSite(() => `<a href="${guess}" target="_blank">news</a>`);
      const evil = await context.newPage();
      await evil.goto(site);
      const [popup] = await Promise.all([context.waitForEvent('page'), evil.click('a')]);
      await popup.waitForLoadState();
      expect(await headingOf(popup)).toBe('Unexpected answer');
      expect(await popup.evaluate(() => opener)).toBeNull();
      await evil.evaluate((url) => {
        document.body.innerHTML = `<form method="post" action="${url}"><button>go</button></form>`;
      }, guess);
      await evil.click('button');
      expect(await headingOf(evil)).toBe('Nothing here');
      expect(session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 1 });
      await click(page, 'Allow');
      expect(await outcome).toBeNull();
    });

    test('cannot show the port in a frame, nor read from it', async () => {
      const signIn = await startSignIn();
      const { redirectUri } = signIn;
      const site = await serveSite(() => `<iframe src="${redirectUri}/"></iframe>`);
      const evil = await context.newPage();
      await evil.goto(site);
      const frame = evil.frames()[1];
      expect(await frame?.content().catch(() => '')).not.toContain('Nothing here');
      const read = await evil.evaluate(async (url) => {
        const answer = await fetch(url).catch(() => null);
        return answer && answer.text();
      }, `${redirectUri}/`);
      expect(read).toBeNull();
    });
  });
});
