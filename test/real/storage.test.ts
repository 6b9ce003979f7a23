// What pages of all kinds can keep, lock and hash, in real engines; and that they keep nothing unless they are told to.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrowserContext } from 'playwright-core';
import type { FixedOptions } from '../../src/providers/oauth.js';
import type { KeyValueStore } from '../../src/ports/index.js';
import { describeInChromium, launchOptions } from '../support/chromium.js';
import { describeInFirefox, launchFirefox } from '../support/firefox.js';
import { describeKeyValueStore } from '../support/key-value-store-contract.js';
import { servePages, type PageStage, type Place } from '../support/page-stage.js';
import type { StrictServer } from '../support/strict-server.js';

// A browser that has others to serve.
jest.setTimeout(60_000);

/** What playwright-core and puppeteer-core have alike. */
interface Tab extends Place {
  goto(url: string): Promise<unknown>;
  setContent(html: string): Promise<unknown>;
  frames(): Place[];
  exposeFunction(name: string, told: (id: number) => void): Promise<unknown>;
  close(): Promise<void>;
}

let pages: PageStage;
let server: StrictServer;
let provider: FixedOptions;
let folder: string;

const html = () => `<!doctype html><meta charset="utf-8"><script>${pages.script}</script>`;

beforeAll(async () => {
  pages = await servePages();
  ({ server, provider } = await pages.begin());
  const attribute = html().replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  pages.stage.page('/frame', {
    body: `<iframe sandbox="allow-scripts" srcdoc="${attribute}"></iframe>`,
  });
  folder = mkdtempSync(join(tmpdir(), 'mortise-page-'));
  mkdirSync(join(folder, 'elsewhere'));
  for (const name of ['page.html', 'elsewhere/page.html'])
    writeFileSync(join(folder, name), html());
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await pages.close();
});

/** A sandboxed frame is there when its script has run. */
async function innerFrame(tab: Tab): Promise<Place> {
  const frame = tab.frames()[1];
  if (!frame) throw new Error('there is no frame');
  return frame;
}

type Row = readonly [
  kind: string,
  load: (tab: Tab) => Promise<Place>,
  has: {
    readonly isSecure: boolean;
    readonly hasSubtle: boolean;
    readonly isLocked: boolean;
    readonly canStore: boolean;
  },
];

const load = (url: () => string) => async (tab: Tab) => {
  await tab.goto(url());
  return tab;
};
const EVERYTHING = { isSecure: true, hasSubtle: true, isLocked: true, canStore: true };
const NOTHING = { isSecure: false, hasSubtle: false, isLocked: false, canStore: false };

// prettier-ignore
const ROWS: readonly Row[] = [
  ['http://localhost',        load(() => pages.url), EVERYTHING],
  ['http://127.0.0.1',        load(() => `http://127.0.0.1:${pages.stage.port}/`), EVERYTHING],
  ['plain http',              load(() => `http://plugin.test:${pages.stage.port}/`), NOTHING],
  ['file:',                   load(() => pathToFileURL(join(folder, 'page.html')).href), EVERYTHING],
  ['HTML injected into about:blank', async (tab) => (await tab.setContent(html()), tab), NOTHING],
  ['data:',                   load(() => `data:text/html;base64,${Buffer.from(html()).toString('base64')}`), NOTHING],
  ['a sandboxed srcdoc frame', async (tab) => (await tab.goto(`${pages.stage.origin}/frame`), innerFrame(tab)),
    { ...EVERYTHING, isLocked: false, canStore: false }],
];

function describeRows(browser: string, newTab: () => Promise<Tab>): void {
  describe(`${browser}: a page loaded as`, () => {
    test.each(ROWS)(
      '%s',
      async (_, open, { canStore, ...has }) => {
        const tab = await newTab();
        const place = await open(tab);

        // cases 4, 76, 145: by use, and whatever is not there is told as ours.
        const absent = { error: 'store_unavailable', problem: 'absent' };
        expect(await place.evaluate(() => Parts.probe(), null)).toEqual({
          ...has,
          hash: 'ba7816bf8f01',
          randomLength: 32,
          isLockedForItself: true,
          stored: canStore ? 'kept' : absent,
          ready: canStore ? 'ready' : absent,
        });

        // case 4: the server has compared challenge and verifier. case 77: nothing is left of a sign-in.
        const before = await place.evaluate(() => Parts.leftBehind(), null);
        await place.evaluate((opening) => Parts.open(opening), {
          provider,
          store: 'memory',
        } as const);
        expect(await pages.signIn(place)).toMatchObject({ state: 'signedIn', store: 'memory' });
        server.expireAccess();
        expect(await place.evaluate(() => Parts.request(), null)).toMatch(/^[0-9a-f]{12}$/);
        expect(await place.evaluate(() => Parts.leftBehind(), null)).toEqual(before);

        // case 76: goes on in memory, and says so.
        await place.evaluate((opening) => Parts.open(opening), {
          provider,
          store: 'indexedDb or memory',
        } as const);
        expect(await pages.signIn(place)).toMatchObject({
          state: 'signedIn',
          store: canStore ? 'indexedDb' : 'memory',
        });
        await tab.close();
      },
      30_000,
    );
  });
}

/** The store of a page, asked from here; `other` has the same in another tab. */
function describeStore(browser: string, newTab: () => Promise<Tab>): void {
  describe(`${browser}: indexedDbStore`, () => {
    const changes = new Map<number, () => void>();
    let tabs: readonly [Tab, Tab];
    let count = 0;

    interface StorePage {
      told(id: number): void;
      stops: Map<number, () => void>;
      stores: Map<string, KeyValueStore>;
    }

    beforeAll(async () => {
      tabs = [await newTab(), await newTab()];
      for (const tab of tabs) {
        await tab.exposeFunction('told', (id) => changes.get(id)?.());
        await tab.goto(pages.url);
        await tab.evaluate(
          () => void Object.assign(globalThis, { stops: new Map(), stores: new Map() }),
          null,
        );
      }
    });

    function storeIn(tab: Tab, name: string): KeyValueStore {
      const call = (method: 'get' | 'set' | 'remove', ...args: string[]) =>
        tab.evaluate(
          async ([its, does, given]) => {
            const { stores } = globalThis as unknown as StorePage;
            const store = stores.get(its) ?? Parts.indexedDbStore({ name: its });
            stores.set(its, store);
            return (await (store[does] as (...all: string[]) => unknown)(...given)) as
              string | null;
          },
          [name, method, args] as const,
        );
      return {
        name: 'indexedDb',
        place: `indexedDb/${name}`,
        get: (key) => call('get', key),
        set: async (key, value) => void (await call('set', key, value)),
        remove: async (key) => void (await call('remove', key)),
        watch(key, changed) {
          const id = (count += 1);
          changes.set(id, changed);
          const started = tab.evaluate(
            ([its, what, number]) => {
              const { stores, stops, told } = globalThis as unknown as StorePage;
              const store = stores.get(its) ?? Parts.indexedDbStore({ name: its });
              stores.set(its, store);
              stops.set(number, store.watch?.(what, () => told(number)) ?? (() => {}));
            },
            [name, key, id] as const,
          );
          return () => {
            changes.delete(id);
            void started.then(() =>
              tab.evaluate((it) => (globalThis as unknown as StorePage).stops.get(it)?.(), id),
            );
          };
        },
      };
    }

    describeKeyValueStore(
      'in real tabs',
      () => storeIn(tabs[0], `contract ${(count += 1)}`),
      ({ place }) => storeIn(tabs[1], String(place).replace('indexedDb/', '')),
    );

    test('what it has stored is there for the next page, and can be read by nothing but itself', async () => {
      const name = `kept ${(count += 1)}`;
      const secret = `refresh-${crypto.randomUUID()}`;
      await storeIn(tabs[0], name).set('a', secret);
      const tab = await newTab();
      await tab.goto(pages.url);
      expect(await storeOf(tab, name)).toBe(secret);
      const found = await tab.evaluate(async (database) => {
        const connection = await new Promise<IDBDatabase>((done) => {
          const opening = indexedDB.open(database);
          opening.onsuccess = () => done(opening.result);
        });
        const all = await new Promise<unknown[]>((done) => {
          const reading = connection.transaction('records').objectStore('records').getAll();
          reading.onsuccess = () => done(reading.result);
        });
        connection.close();
        const { key } = all.find((one) => 'key' in (one as object)) as { key: CryptoKey };
        const { sealed } = all.find((one) => 'sealed' in (one as object)) as {
          sealed: ArrayBuffer;
        };
        const taken = await crypto.subtle.exportKey('raw', key).catch((error: Error) => error.name);
        return { count: all.length, taken, text: new TextDecoder().decode(sealed) };
      }, `mortise/${name}`);
      expect(found).toMatchObject({ count: 2, taken: 'InvalidAccessError' });
      expect(found.text).not.toContain(secret);
      await tab.close();
    });

    test('tabs that make the key at the same time end with the same', async () => {
      const name = `key ${(count += 1)}`;
      const set = (tab: Tab, key: string) => storeIn(tab, name).set(key, `of ${key}`);
      await Promise.all([set(tabs[0], 'a'), set(tabs[1], 'b'), set(tabs[0], 'c')]);
      for (const key of ['a', 'b', 'c']) {
        expect(await storeIn(tabs[0], name).get(key)).toBe(`of ${key}`);
        expect(await storeIn(tabs[1], name).get(key)).toBe(`of ${key}`);
      }
    });

    test('a database that is deleted by another tab: makes way, and begins anew', async () => {
      const name = `deleted ${(count += 1)}`;
      const store = storeIn(tabs[0], name);
      await store.set('a', 'one');
      const how = await tabs[1].evaluate(
        (database) =>
          new Promise<string>((done) => {
            const deleting = indexedDB.deleteDatabase(database);
            deleting.onsuccess = () => done('deleted');
            deleting.onblocked = () => done('blocked');
          }),
        `mortise/${name}`,
      );
      expect(how).toBe('deleted');
      expect(await store.get('a')).toBeNull();
      await store.set('a', 'two');
      expect(await storeIn(tabs[1], name).get('a')).toBe('two');
    });

    const storeOf = (tab: Tab, name: string) =>
      tab.evaluate((its) => Parts.indexedDbStore({ name: its }).get('a'), name);
  });
}

describeInChromium('pages of Chromium', () => {
  let context: BrowserContext;
  let newTab: () => Promise<Tab>;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const { chromium } = await import('playwright-core');
    const browser = await chromium.launch({
      ...launchOptions,
      args: [
        ...(launchOptions.args ?? []),
        '--host-resolver-rules=MAP plugin.test 127.0.0.1',
        // A page without an address would not reach a server of this machine, which no platform is.
        '--disable-features=LocalNetworkAccessChecks',
      ],
    });
    context = await browser.newContext();
    newTab = async () => (await context.newPage()) as unknown as Tab;
    close = () => browser.close();
  });
  afterAll(() => close?.());

  describeRows('Chromium', () => newTab());
  describeStore('Chromium', () => newTab());

  test('case 76: no room is left: told as full, and a list goes on in memory', async () => {
    const page = await context.newPage();
    const origin = pages.stage.originOf('full');
    await page.goto(`${origin}/`);
    const devTools = await context.newCDPSession(page);
    // At 0 it lets everything pass.
    await devTools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 });
    const problem = await page.evaluate(() =>
      Parts.indexedDbStore()
        .set('a', 'of any size')
        .catch((error: { details: { problem: string } }) => error.details.problem),
    );
    expect(problem).toBe('full');
    const place = page as unknown as Place;
    await place.evaluate((opening) => Parts.open(opening), {
      provider,
      store: 'indexedDb or memory',
    } as const);
    expect(await pages.signIn(place)).toMatchObject({ state: 'signedIn', store: 'memory' });
    await page.close();
  });
});

describeInFirefox('pages of Firefox', () => {
  let newTab: () => Promise<Tab>;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const browser = await launchFirefox();
    newTab = async () => (await browser.newPage()) as unknown as Tab;
    close = () => browser.close();
  });
  afterAll(() => close?.());

  describeRows('Firefox', () => newTab());
  describeStore('Firefox', () => newTab());

  test('case 76: no room is left: told as full', async () => {
    // In kilobytes, for all pages.
    const small = await launchFirefox({ 'dom.quotaManager.temporaryStorage.fixedLimit': 1_024 });
    const page = await small.newPage();
    await page.goto(pages.url);
    const problem = await page.evaluate(() =>
      Parts.indexedDbStore()
        .set('a', 'much'.repeat(1_000_000))
        .catch((error: { details: { problem: string } }) => error.details.problem),
    );
    await small.close();
    expect(problem).toBe('full');
  });
});
