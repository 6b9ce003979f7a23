import { COOP, STRICT_CSP } from './web-stage.js';
import {
  ALLOW,
  REDIRECT_PAGE,
  openApp,
  serveApp,
  withCoop,
  type App,
  type AppOptions,
  type Driver,
  type Tab,
} from './popup-pages.js';

/** Time goes by twenty times as fast, and the user is back at the page as soon as the window is gone. */
const HASTE = `
const now = performance.now.bind(performance);
const start = window.setTimeout.bind(window);
performance.now = () => now() * 20;
window.setTimeout = (callback, ms) => start(callback, ms / 20);
document.hasFocus = () => true;
`;

/** What holds of a pop-up in every browser. \`driver\` is asked for when the tests run. */
export function describePopups(driver: () => Driver): void {
  let app: App;
  let page: Tab;

  const start = async (options: AppOptions = {}) => {
    app = await serveApp(options);
    page = await openApp(driver(), app.appUrl);
  };
  afterEach(async () => {
    await page?.close();
    await app?.close();
  });

  const openPopup = async () => {
    const popup = await driver().opened(() => page.click('#in'));
    await popup.waitForSelector(ALLOW);
    return popup;
  };
  const settled = async () => {
    await page.until('app.outcome !== null');
    return page.evaluate('app.outcome');
  };
  const browse = () =>
    page.evaluate(
      `app.session.api.getApiInfo().then(({ organization }) => app.session.api.browse(organization.id)).then(({ length }) => length)`,
    );

  // prettier-ignore
  test.each<[string, AppOptions, boolean]>([
    ['normal',                                       {},                     false],
    ['case 69: the provider cuts the window off',    { bend: withCoop },     true],
    ['case 69: the page itself cuts the window off', { headers: COOP },      true],
    ['both do',                                      { bend: withCoop, headers: COOP }, true],
    ['case 78: script-src self and Trusted Types',   { headers: STRICT_CSP }, false],
  ])('%s: signs in, browses, signs out', async (_, options, isCutOff) => {
    await start(options);
    const popup = await openPopup();
    if (isCutOff) {
      // Told, and waited for all the same.
      await page.until(`app.session.state.window === 'lost'`);
      expect(await page.evaluate('app.outcome')).toBeNull();
    }
    await popup.click(ALLOW);
    expect(await settled()).toBe('signedIn');
    expect(await browse()).toBe(3);
    await page.evaluate('app.session.signOut()');
    expect(await page.evaluate('app.session.state.name')).toBe('signedOut');
  });

  test('Speckle: signs in, browses, signs out', async () => {
    await start({ provider: 'speckle' });
    const popup = await openPopup();
    await popup.click(ALLOW);
    expect(await settled()).toBe('signedIn');
    const user = await page.evaluate('app.session.api.activeUser()');
    expect(user).toMatchObject({ name: expect.any(String) });
    const projects = 'app.session.api.projects({ limit: 2 })';
    const names = `(async () => { let all = []; for await (const it of ${projects}) all.push(it.name); return all; })()`;
    expect(await page.evaluate(names)).not.toEqual([]);
    await page.evaluate('app.session.signOut()');
    expect(await page.evaluate('app.session.state.name')).toBe('signedOut');
  });

  test('case 70: a window that the user closes is told at once, and settles', async () => {
    await start({ before: HASTE });
    const popup = await openPopup();
    await popup.close();
    expect(await settled()).toBe('sign_in_cancelled');
    expect(await page.evaluate('app.events')).toContain('windowLost');
  });

  test('whoever gives up sees the window close', async () => {
    await start();
    const popup = await openPopup();
    await page.evaluate('app.stop.abort()');
    expect(await settled()).toBe('sign_in_cancelled');
    await until(() => popup.isClosed());
  });

  const BLOCKED = { before: 'window.open = () => null;' };
  const openLink = async () => {
    await page.click('#in');
    await page.until(`document.querySelector('#link').href.startsWith('http')`);
    const tab = await driver().opened(() => page.click('#link'));
    await tab.waitForSelector(ALLOW);
    return tab;
  };

  test('case 71: blocked is told, and a link does as well', async () => {
    await start(BLOCKED);
    const tab = await openLink();
    expect(await page.evaluate('app.errors')).toEqual(['popup_blocked']);
    expect(await page.evaluate('app.session.state.window')).toBe('lost');
    await tab.click(ALLOW);
    expect(await settled()).toBe('signedIn');
    expect(await browse()).toBe(3);
  });

  test('cases 63 and 64: nobody else can say how it ended', async () => {
    await start();
    const popup = await openPopup();
    const forged = `{ mortise: 1, id: 'forged', url: '${app.redirectUri}/?error=access_denied&state=' +
      new URL(STATE_URL).searchParams.get('state') }`;
    // From another origin, though the right window; from the right origin, though another window.
    const address = await page.evaluate('app.session.state.authorizationUrl');
    const message = forged.replace('STATE_URL', JSON.stringify(address));
    await popup.evaluate(`opener.postMessage(${message}, '*')`);
    await page.evaluate(`postMessage(${message}, location.origin)`);
    await page.evaluate(`postMessage('x'.repeat(1e7), location.origin)`);
    await popup.click(ALLOW);
    expect(await settled()).toBe('signedIn');
    expect(await page.evaluate('app.errors')).toEqual([]);
  });

  /** By the page itself: where a browser is told to go by its user it may forget who opened the window. */
  const goTo = (tab: Tab, url: string) =>
    tab.evaluate(`void setTimeout(() => (location.href = ${JSON.stringify(url)}))`);
  /** Of the popup, wherever it is: what it says to its opener as the redirect page would. */
  const forged = async () => {
    const address = String(await page.evaluate('app.session.state.authorizationUrl'));
    const state = new URL(address).searchParams.get('state');
    return { mortise: 1, id: '1-1', url: `${app.redirectUri}/?error=access_denied&state=${state}` };
  };

  test('case 65: the right window without an origin is not believed', async () => {
    await start();
    const popup = await openPopup();
    const consent = String(await page.evaluate('app.session.state.authorizationUrl'));
    const message = JSON.stringify(await forged());
    app.stage.answer('/opaque', (_, response) =>
      response
        .writeHead(200, {
          'content-type': 'text/html',
          'content-security-policy': 'sandbox allow-scripts',
        })
        .end(`<title>opaque</title><script>opener.postMessage(${message}, '*')</script>`),
    );
    await page.evaluate(`addEventListener('message', ({ origin }) => (app.from = origin))`);
    await goTo(popup, `${app.stage.origin}/opaque`);
    await page.until(`app.from === 'null'`);
    expect(await page.evaluate('[app.outcome, app.session.state.ignoredRedirects]')).toEqual([
      null,
      0,
    ]);
    await goTo(popup, consent);
    await popup.waitForSelector(ALLOW);
    await popup.click(ALLOW);
    expect(await settled()).toBe('signedIn');
    expect(await page.evaluate('app.errors')).toEqual([]);
  });

  test('case 66: the redirect page tells a page of another origin that opened it nothing', async () => {
    await start();
    const script = REDIRECT_PAGE.script?.replace('()', '({ answerWithinMs: 100 })') ?? '';
    app.stage.page(app.redirectPath, { ...REDIRECT_PAGE, script });
    const heard = `const heard = (window.heard = []); addEventListener('message', ({ data }) => heard.push(data));`;
    app.stage.page('/opener', { script: heard, body: `<button>Open</button>` });
    const place = '?code=c&state=s';
    for (const [origin, count] of [
      [app.stage.originOf('evil'), 0],
      // Where it would be heard, had it been said to anybody.
      [app.stage.origin, 1],
    ] as const) {
      const opener = await driver().open(`${origin}/opener`);
      await opener.until('window.heard');
      const popup = await driver().opened(() =>
        opener.evaluate(`void open('${app.redirectUri}/${place}')`),
      );
      await popup.until(`window.delivery?.kind === 'nobody'`);
      expect(await popup.evaluate('opener !== null')).toBe(true);
      // What was said before is heard before this.
      await popup.evaluate(`opener.postMessage('over', '*')`);
      await opener.until(`heard.includes('over')`);
      expect(await opener.evaluate('heard.length - 1')).toBe(count);
      await popup.close();
      await opener.close();
    }
  });

  test('case 67: whatever the right window says, it is a redirect or nothing, without a throw', async () => {
    await start();
    const popup = await openPopup();
    const consent = String(await page.evaluate('app.session.state.authorizationUrl'));
    const { url } = await forged();
    await page.evaluate(`{
      app.thrown = [];
      addEventListener('error', ({ message }) => app.thrown.push(message));
      addEventListener('unhandledrejection', ({ reason }) => app.thrown.push(String(reason)));
      addEventListener('message', ({ data }) => { if (data === 'over') app.isOver = true; });
    }`);
    app.stage.page('/blank', { body: 'blank' });
    await goTo(popup, `${app.stage.origin}/blank`);
    await popup.until(`location.pathname === '/blank' && document.body.textContent === 'blank'`);
    await popup.evaluate(`{
      const cyclic = { mortise: 1, id: '1-1' };
      cyclic.url = cyclic;
      const url = ${JSON.stringify(url)};
      const channel = new BroadcastChannel('mortise/1 ' + ${JSON.stringify(app.redirectUri)});
      const said = [
        'a string', 'x'.repeat(1e7), null, undefined, 1, 10n, true, [1, '1-1', url], cyclic, new Map([['url', url]]),
        new Error('no message'), new Date(), new ArrayBuffer(8), new Blob(['text']), /a/,
        { mortise: 2, id: '1-1', url }, { mortise: 1, id: 'i'.repeat(65), url }, { mortise: 1, id: 1, url },
        { mortise: 1, id: '1-1', url: url + 'x'.repeat(40_000) }, { mortise: 1, id: '1-1', url: 'javascript:0' },
        { mortise: 1, id: '1-1', url: 'https://evil.example/?code=c' }, { mortise: 1, id: '1-1', kind: 'signedIn' },
        Object.assign(Object.create({ url }), { mortise: 1, id: '1-1' }), 'over',
      ];
      for (const data of said) {
        channel.postMessage(data);
        opener.postMessage(data, '*');
      }
      channel.close();
    }`);
    await page.until('app.isOver');
    expect(await page.evaluate('[app.outcome, app.session.state.ignoredRedirects]')).toEqual([
      null,
      0,
    ]);
    await goTo(popup, consent);
    await popup.waitForSelector(ALLOW);
    await popup.click(ALLOW);
    expect(await settled()).toBe('signedIn');
    expect(await page.evaluate('[...app.thrown, ...app.errors]')).toEqual([]);
  });

  test('an old redirect and a made-up one are ignored, and waiting goes on', async () => {
    await start(BLOCKED);
    const first = await openLink();
    await first.click(ALLOW);
    expect(await settled()).toBe('signedIn');
    const redirected = app.stage.requests.find(({ url }) => url.includes('code='))?.url ?? '';
    expect(redirected).not.toBe('');

    const second = await openLink();
    // Nobody takes these, so nobody is waited for.
    const script = REDIRECT_PAGE.script?.replace('()', '({ answerWithinMs: 100 })') ?? '';
    app.stage.page(app.redirectPath, { ...REDIRECT_PAGE, script });
    const replayed = await driver().open(redirected);
    await page.until('app.session.state.ignoredRedirects === 1');
    const forged = await driver().open(`${app.redirectUri}/?code=c&state=s`);
    await page.until('app.session.state.ignoredRedirects === 2');
    for (const tab of [replayed, forged]) {
      await tab.until(`window.delivery?.kind === 'nobody'`);
      expect(await tab.evaluate('location.href')).toBe(`${app.redirectUri}/`);
      await tab.close();
    }
    await second.click(ALLOW);
    expect(await settled()).toBe('signedIn');
  });

  test('the redirect page can be reloaded and duplicated, and says what became of it', async () => {
    await start(BLOCKED);
    const tab = await openLink();
    // A window that closes itself cannot be looked at.
    app.stage.page(app.redirectPath, {
      ...REDIRECT_PAGE,
      script: `window.close = () => {}; ${REDIRECT_PAGE.script}`,
    });
    await tab.click(ALLOW);
    await tab.until('window.delivery');
    const status = `document.querySelector('[role=status]').textContent`;
    expect(await tab.evaluate('delivery.kind')).toBe('signedIn');
    expect(await tab.evaluate(status)).toBe('You are signed in. You can close this window.');
    const clean = `${app.redirectUri}/`;
    expect(await tab.evaluate('location.href')).toBe(clean);
    await tab.reload();
    await tab.until('window.delivery');
    expect(await tab.evaluate('delivery.kind')).toBe('nothing');
    const duplicate = await driver().open(String(await tab.evaluate('location.href')));
    await duplicate.until('window.delivery');
    expect(await duplicate.evaluate('delivery.kind')).toBe('nothing');
    expect(await duplicate.evaluate(status)).toBe('You can close this window.');
    await duplicate.close();
    await tab.goto('about:blank');
    await tab.goBack();
    await tab.until('window.delivery');
    expect(await tab.evaluate('location.href')).toBe(clean);
    expect(await settled()).toBe('signedIn');
    await tab.close();
  });

  test('case 73: in a frame the redirect page gives the answer to nobody', async () => {
    await start(BLOCKED);
    const tab = await openLink();
    const address = String(await page.evaluate('app.session.state.authorizationUrl'));
    const state = new URL(address).searchParams.get('state');
    const framed = `${app.stage.origin}${app.redirectPath}?code=c&state=${state}`;
    app.stage.page('/frame', { body: `<iframe src="${framed}"></iframe>` });
    const outer = await driver().open(`${app.stage.origin}/frame`);
    const inner = await outer.frame(`${app.stage.origin}${app.redirectPath}`);
    await inner.until('window.delivery');
    expect(await inner.evaluate('delivery.kind')).toBe('refused');
    expect(await page.evaluate('app.session.state.ignoredRedirects')).toBe(0);
    await outer.close();
    await tab.click(ALLOW);
    expect(await settled()).toBe('signedIn');
    await tab.close();
  });

  test('a page in a frame of another site signs in by the pop-up', async () => {
    await start();
    app.stage.page('/outer', { body: `<iframe src="${app.appUrl}"></iframe>` });
    const outer = await driver().open(`${app.stage.originOf('outer')}/outer`);
    const inner = await outer.frame(app.appUrl);
    await inner.until('window.app?.isReady');
    const popup = await driver().opened(() => inner.click('#in'));
    await popup.waitForSelector(ALLOW);
    await popup.click(ALLOW);
    await inner.until(`app.outcome !== null`);
    expect(await inner.evaluate('app.outcome')).toBe('signedIn');
    await outer.close();
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((done) => setTimeout(done, 20));
}
