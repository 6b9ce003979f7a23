// Two tabs share one account in IndexedDB, at a server that takes a refresh token once.
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Browser as Firefox, Page as FirefoxPage } from 'puppeteer-core';
import type { FixedOptions } from '../../src/providers/oauth.js';
import { describeInChromium, launchOptions } from '../support/chromium.js';
import { describeInFirefox, launchFirefox } from '../support/firefox.js';
import { describeLock } from '../support/lock-contract.js';
import type { StoreName } from '../support/page-parts.js';
import { servePages, type PageStage, type Place } from '../support/page-stage.js';
import type { StrictServer } from '../support/strict-server.js';

// A browser that has others to serve.
jest.setTimeout(60_000);

/** `npm run endure` plays 200. */
const ROUNDS = Number(process.env['MORTISE_ROUNDS'] ?? 6);
const FIREFOX_ROUNDS = Math.ceil(ROUNDS / 3);
/** A change is told at once; the rest is for a machine that has others to serve. */
const LIMIT_MS = 30_000;

interface Tab extends Place {
  goto(url: string): Promise<unknown>;
  close(): Promise<void>;
}

let pages: PageStage;
let server: StrictServer;
let provider: FixedOptions;
let openTab: () => Promise<Tab>;
let tabs: Tab[] = [];

let chromium: Promise<Browser> | undefined;

/** One for all that is played in it. */
const launchChromium = () =>
  (chromium ??= import('playwright-core').then((it) => it.chromium.launch(launchOptions)));

beforeAll(async () => {
  pages = await servePages();
});
afterAll(async () => {
  await (await chromium)?.close();
  await pages.close();
});

/** In its own profile or after it was emptied: what an earlier test has kept is not there. */
async function begin(options?: Parameters<PageStage['begin']>[0]): Promise<void> {
  ({ server, provider } = await pages.begin(options));
}

async function newTab(store: StoreName = 'indexedDb', isStuck = false): Promise<Tab> {
  const tab = await openTab();
  tabs.push(tab);
  await tab.goto(pages.url);
  await tab.evaluate((opening) => Parts.open(opening), { provider, store, isStuck });
  return tab;
}

async function closeTabs(): Promise<void> {
  for (const tab of tabs.splice(0)) await tab.close().catch(() => {});
}

const request = (tab: Tab) => tab.evaluate(() => Parts.request(), null);
const look = (tab: Tab) => tab.evaluate(() => Parts.look(), null);
const restore = (tab: Tab) => tab.evaluate(() => Parts.restore(), null);
const heard = (tab: Tab, event: string, times = 1) =>
  tab.evaluate(([what, count]) => Parts.heard(what, count), [event, times] as const);

async function playRounds(rounds: number, browser: string): Promise<void> {
  const [one, two] = [await newTab(), await newTab()];
  await pages.signIn(one);
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { length } = server.refreshes;
    server.expireAccess();
    const startMs = performance.now();
    const told = await Promise.all([request(one), request(two)]);
    times.push(performance.now() - startMs);
    expect(server.refreshes.slice(length)).toEqual([{ by: '', outcome: 'rotated' }]);
    expect(told).toEqual([expect.stringMatching(/^[0-9a-f]{12}$/), told[0]]);
  }
  for (const tab of [one, two]) {
    const { state, events, store, hadLock } = await look(tab);
    expect({ state, store, hadLock }).toEqual({
      state: 'signedIn',
      store: 'indexedDb',
      hadLock: true,
    });
    expect(events.filter((event) => /Gone|Refused|Failed|signOut/.test(event))).toEqual([]);
  }
  const sorted = [...times].sort((a, b) => a - b);
  const ms = (at: number) => sorted[Math.floor((sorted.length - 1) * at)]?.toFixed(0);
  process.stderr.write(
    `    two tabs of ${browser}: ${rounds} rounds, ${ms(0.5)} ms each (most ${ms(1)} ms)\n`,
  );
}

/** Of what the other tab does each hears by itself. */
async function playSiblings(): Promise<void> {
  const [one, two] = [await newTab(), await newTab()];
  for (const tab of [one, two]) await restore(tab);
  expect(await look(two)).toMatchObject({ state: 'signedOut' });

  const found = heard(two, 'sessionFound');
  await pages.signIn(one);
  await found;
  expect(await look(two)).toMatchObject({ state: 'signedIn' });
  expect(await request(two)).toMatch(/^[0-9a-f]{12}$/);
  expect(server.refreshes).toEqual([]);

  server.expireAccess();
  const renewed = heard(one, 'sessionRenewed');
  const token = await request(two);
  await renewed;
  expect(await request(one)).toBe(token);
  expect(server.refreshes).toHaveLength(1);

  const gone = heard(two, 'sessionGone');
  await one.evaluate(() => Parts.signOut(), null);
  await gone;
  expect(await look(two)).toMatchObject({ state: 'signedOut' });
  expect(await request(two)).toEqual({ error: 'sign_in_required' });

  const again = heard(one, 'sessionFound');
  await pages.signIn(two);
  await again;
  expect(await request(one)).toBe(await request(two));
}

/** Three tabs add to a number that is read, changed and written back, in a database that all see alike. */
async function playCounting(times: number): Promise<void> {
  const three = [await newTab(), await newTab(), await newTab()];
  const held = await Promise.all(
    three.map((tab) =>
      tab.evaluate(async (count) => {
        const lock = Parts.createTabLock(Parts.systemClock, { place: 'count' });
        const store = Parts.indexedDbStore({ name: 'count' });
        const add = async (isHeld: boolean) => {
          await store.set('count', String(Number(await store.get('count')) + 1));
          return isHeld;
        };
        return Promise.all(Array.from({ length: count }, () => lock('count', 60_000, add)));
      }, times),
    ),
  );
  expect(held.flat()).toEqual(Array(3 * times).fill(true));
  const count = await three[0]?.evaluate(
    () => Parts.indexedDbStore({ name: 'count' }).get('count'),
    null,
  );
  expect(count).toBe(String(3 * times));
}

describeInChromium('tabs of Chromium', () => {
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    browser = await launchChromium();
  });

  beforeEach(async () => {
    context = await browser.newContext();
    openTab = async () => {
      const page: Page = await context.newPage();
      page.setDefaultTimeout(LIMIT_MS);
      return page as unknown as Tab;
    };
    await begin();
  });
  afterEach(async () => {
    tabs = [];
    await context.close();
  });

  test(
    `case 120: two tabs, ${ROUNDS} expiries: one refresh each, and nobody is signed out`,
    () => playRounds(ROUNDS, 'Chromium'),
    600_000,
  );

  test(
    'case 195: a sign-in, a refresh and a sign-out are noticed by the other tab',
    playSiblings,
    60_000,
  );

  test('case 145: a tab that is closed while it has the lock: the other goes on at once', async () => {
    const [one, two] = [await newTab(), await newTab('indexedDb', true)];
    await pages.signIn(one);
    await restore(two);
    server.expireAccess();
    const lost = request(two).catch(() => 'closed');
    await two.evaluate(() => Parts.whenStuck(), null);
    const refused = server.refused(server.refusals + 1);
    const served = request(one);
    await refused;
    await two.close();
    expect(await lost).toBe('closed');
    expect(await served).toMatch(/^[0-9a-f]{12}$/);
    expect(server.refreshes).toHaveLength(1);
    expect(await look(one)).toMatchObject({ state: 'signedIn', hadLock: true });
  });

  test('a tab that is closed before the answer comes, at a server that gives it again', async () => {
    await begin({ onReuse: 'repeat the answer' });
    const [one, two] = [await newTab(), await newTab()];
    await pages.signIn(one);
    await restore(two);
    server.expireAccess();
    const gate = server.hold();
    const lost = request(two).catch(() => 'closed');
    await gate.decided;
    const refused = server.refused(server.refusals + 1);
    const served = request(one);
    await refused;
    await two.close();
    gate.release();
    expect(await lost).toBe('closed');
    expect(await served).toMatch(/^[0-9a-f]{12}$/);
    expect(server.refreshes.map(({ outcome }) => outcome)).toEqual(['rotated', 'repeated']);
    expect(await look(one)).toMatchObject({ state: 'signedIn' });
  });

  test('case 145: without Web Locks two refreshes may be sent, and still nobody is signed out', async () => {
    await begin({ onReuse: 'refuse' });
    const both = [await newTab(), await newTab()] as const;
    for (const tab of both) {
      await tab.evaluate(() => {
        Object.defineProperty(navigator, 'locks', { value: undefined });
      }, null);
    }
    await pages.signIn(both[0]);
    for (let round = 0; round < 5; round += 1) {
      server.expireAccess();
      const told = await Promise.all(both.map(request));
      for (const each of told) expect(each).toMatch(/^[0-9a-f]{12}$/);
    }
    expect(new Set(await Promise.all(both.map(request))).size).toBe(1);
    for (const tab of both) {
      const { state, hadLock, events } = await look(tab);
      expect({ state, hadLock }).toEqual({ state: 'signedIn', hadLock: false });
      expect(events.filter((event) => /Gone|Refused/.test(event))).toEqual([]);
    }
  });

  test('case 150: two copies of the library in one page are like two tabs', async () => {
    const tab = await newTab();
    await pages.signIn(tab);
    await tab.evaluate(
      ([script, opening]) => {
        Object.assign(globalThis, { Other: Parts });
        // A script of the page, as the first.
        document.head.append(Object.assign(document.createElement('script'), { text: script }));
        Parts.open(opening);
      },
      [pages.script, { provider, store: 'indexedDb' }] as const,
    );
    await restore(tab);
    server.expireAccess();
    const told = await tab.evaluate(async () => {
      const { Other } = globalThis as unknown as { Other: typeof Parts };
      return {
        isAnother: Other !== Parts,
        all: await Promise.all([Other.request(), Parts.request()]),
      };
    }, null);
    expect(told.isAnother).toBe(true);
    expect(told.all).toEqual([expect.stringMatching(/^[0-9a-f]{12}$/), told.all[0]]);
    expect(server.refreshes).toHaveLength(1);
  });

  test('case 77: who keeps tokens in memory shares them with no other tab', async () => {
    const [one, two] = [await newTab('memory'), await newTab('memory')];
    await pages.signIn(one);
    await restore(two);
    expect(await look(two)).toMatchObject({ state: 'signedOut', store: 'memory' });
  });

  test('case 145: tabs take turns', () => playCounting(20));
});

describeInChromium('one lock, asked for in three tabs', () => {
  let context: BrowserContext;
  let asked = 0;

  interface LockPage {
    take(it: readonly [id: number, name: string, timeoutMs: number]): Promise<boolean>;
    free(id: number): void;
  }

  beforeAll(async () => {
    context = await (await launchChromium()).newContext();
    openTab = async () => (await context.newPage()) as unknown as Tab;
    await begin();
    for (let count = 0; count < 3; count += 1) await newTab();
    for (const tab of tabs) {
      await tab.evaluate(() => {
        const frees = new Map<number, () => void>();
        const lock = Parts.createTabLock(Parts.systemClock, { place: 'contract' });
        const page: LockPage = {
          take: ([id, name, timeoutMs]) =>
            new Promise((taken) => {
              void lock(name, timeoutMs, (held) => {
                taken(held);
                return new Promise<void>((done) => frees.set(id, done));
              });
            }),
          free: (id) => frees.get(id)?.(),
        };
        Object.assign(globalThis, page);
      }, null);
    }
  });
  afterAll(async () => {
    tabs = [];
    await context?.close();
  });

  describeLock('createTabLock in real tabs', () => async (name, timeoutMs, task) => {
    const id = (asked += 1);
    const tab = tabs[id % tabs.length]!;
    const held = await tab.evaluate((it) => (globalThis as unknown as LockPage).take(it), [
      id,
      name,
      timeoutMs,
    ] as const);
    try {
      return await task(held);
    } finally {
      await tab.evaluate((it) => (globalThis as unknown as LockPage).free(it), id);
    }
  });
});

describeInFirefox('tabs of Firefox', () => {
  let browser: Firefox;

  beforeAll(async () => {
    browser = await launchFirefox();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    openTab = async () => (await browser.newPage()) as FirefoxPage as unknown as Tab;
    await begin();
    const tab = await newTab('memory');
    await tab.evaluate(async () => {
      localStorage.clear();
      for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name ?? '');
    }, null);
  });
  afterEach(closeTabs);

  test(
    `case 120: two tabs, ${FIREFOX_ROUNDS} expiries: one refresh each, and nobody is signed out`,
    () => playRounds(FIREFOX_ROUNDS, 'Firefox'),
    600_000,
  );

  test(
    'case 195: a sign-in, a refresh and a sign-out are noticed by the other tab',
    playSiblings,
    60_000,
  );

  test('case 145: tabs take turns', () => playCounting(5));
});
