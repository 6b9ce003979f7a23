// A panel whose own part hangs or leaves, and user agents of a host that are not as they should be.
import { connectSession, hostTransport, serveHost } from '../../../adapters/webview/index.js';
import type { ByteStream, HttpRequest, RedirectUserAgent } from '../../../src/ports/index.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { createFakeHost } from '../../support/fake-host.js';
import { createPair, parsed, rpc, type Pair } from './panel-pair.js';

const never = () => new Promise<never>(() => {});

type Answer = (params: Record<string, unknown>) => object | null;

/** A host that answers by the table: `null` is silence. */
function answerBy(pair: Pair, answers: Readonly<Record<string, Answer>>) {
  const known: Readonly<Record<string, Answer>> = {
    hello: () => ({ protocol: 1, offers: ['http', 'session'] }),
    'session.state': () => ({ seq: 1, state: { name: 'signedOut', reason: 'never' } }),
    'body.write': () => ({ body: 'u1' }),
    'body.close': () => ({}),
    ...answers,
  };
  pair.host.onMessage((text) => {
    const { id, method, params } = JSON.parse(text) as Record<string, unknown>;
    const result = known[String(method)]?.(params as Record<string, unknown>);
    if (result) pair.host.send(JSON.stringify(rpc(pair.nonce, { id, result })));
  });
  const sent = (method: string) =>
    parsed(pair.toHost).filter((message) => message['method'] === method);
  return { sent };
}

/** Gives one piece, and then nothing, whatever it is told. */
function stalling() {
  let returns = 0;
  let isFirst = true;
  const body: ByteStream = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        if (!isFirst) return never();
        isFirst = false;
        return { done: false, value: new Uint8Array(10) };
      },
      return: async () => ((returns += 1), { done: true, value: undefined }),
    }),
  };
  return { body, returns: () => returns };
}

describe('an upload whose source stands still', () => {
  test.each<[how: string, bridged: boolean]>([
    ['a bridge of its own', false],
    ['a shared bridge', true],
  ])('ends when the caller leaves, and when the session is closed: %s', async (_, isShared) => {
    for (const leave of ['abort', 'close']) {
      const pair = createPair();
      const { sent } = answerBy(pair, {});
      const bridge = isShared ? pair.bridge() : null;
      const session = connectSession(bridge ?? pair.panel, { nonce: pair.nonce });
      const source = stalling();
      const controller = new AbortController();
      const { signal } = controller;
      const request = session.api.request({ method: 'POST', path: 'x', body: source.body, signal });
      const failed = expect(request).rejects.toMatchObject({ code: 'aborted' });
      await settle();
      if (leave === 'abort') controller.abort();
      else session.close();
      await failed;
      await settle();
      expect(source.returns()).toBe(1);
      expect(sent('body.close')).toMatchObject([{ params: { body: 'u1' } }]);
      expect(sent('session.request')).toEqual([]);
      session.close();
      bridge?.close();
    }
  });

  test.each([
    ['its own', 100],
    ['the usual', undefined],
  ])('ends after %s limit', async (_, timeoutMs) => {
    const pair = createPair();
    const clock = createFakeClock();
    const { sent } = answerBy(pair, {});
    const bridge = pair.bridge({ clock });
    const session = connectSession(bridge);
    const source = stalling();
    const more = timeoutMs === undefined ? {} : { timeoutMs };
    const request = session.api.request({ method: 'POST', path: 'x', body: source.body, ...more });
    const limit = timeoutMs ?? 30_000;
    const details = { timeoutMs: limit };
    const failed = expect(request).rejects.toMatchObject({ code: 'timeout', details });
    await clock.advance(limit - 1);
    expect(source.returns()).toBe(0);
    await clock.advance(1);
    await failed;
    await settle();
    expect([source.returns(), sent('body.close').length, clock.pending]).toEqual([1, 1, 0]);
    session.close();
    bridge.close();
  });
});

describe('close() of a connected session', () => {
  test.each([true, false])(
    'ends a request that is under way (shared bridge: %p)',
    async (isShared) => {
      const pair = createPair();
      const { sent } = answerBy(pair, {});
      const bridge = isShared ? pair.bridge() : null;
      const session = connectSession(bridge ?? pair.panel, { nonce: pair.nonce });
      const request = session.api.request({ path: 'x' });
      const failed = expect(request).rejects.toMatchObject({ code: 'aborted' });
      await settle();
      session.close();
      await failed;
      const [asked] = sent('session.request');
      expect(sent('cancel')).toMatchObject([{ params: { id: asked?.['id'] } }]);
      await expect(session.api.request({ path: 'x' })).rejects.toMatchObject({ code: 'aborted' });
      bridge?.close();
    },
  );

  test.each([true, false])(
    'ends reading a body, and frees it (shared bridge: %p)',
    async (isShared) => {
      const pair = createPair();
      const { sent } = answerBy(pair, {
        'session.request': () => ({ status: 200, headers: {}, body: '', more: 'm1' }),
      });
      const bridge = isShared ? pair.bridge() : null;
      const session = connectSession(bridge ?? pair.panel, { nonce: pair.nonce });
      const answer = await session.api.request({ path: 'x' });
      const failed = expect(answer.text()).rejects.toMatchObject({ code: 'aborted' });
      await settle();
      expect(sent('body.read')).toHaveLength(1);
      session.close();
      await failed;
      await settle();
      expect(sent('body.close')).toMatchObject([{ params: { body: 'm1' } }]);
      bridge?.close();
    },
  );

  test('ends a body that is there but was not read', async () => {
    const pair = createPair();
    answerBy(pair, {
      'session.request': () => ({ status: 200, headers: {}, body: 'aGk=', more: null }),
    });
    const session = connectSession(pair.panel, { nonce: pair.nonce });
    const answer = await session.api.request({ path: 'x' });
    session.close();
    await expect(answer.text()).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('an answer that cannot be read is closed, where it names a rest:', () => {
  const get = (pair: Pair) =>
    hostTransport(pair.bridge())({
      method: 'GET',
      url: 'https://api.example/',
      headers: {},
      signal: new AbortController().signal,
    } satisfies HttpRequest);

  test.each([
    ['its status', { status: 700, headers: {}, body: '', more: 'm1' }],
    ['its headers', { status: 200, headers: { a: 7 }, body: '', more: 'm1' }],
    ['its body', { status: 200, headers: {}, body: '?', more: 'm1' }],
  ])('%s', async (_, result) => {
    const pair = createPair();
    const { sent } = answerBy(pair, { 'http.request': () => result });
    await expect(get(pair)).rejects.toMatchObject({ code: 'bridge_unavailable' });
    await settle();
    expect(sent('body.close')).toMatchObject([{ params: { body: 'm1' } }]);
  });

  test('a piece of it', async () => {
    const pair = createPair();
    const { sent } = answerBy(pair, {
      'http.request': () => ({ status: 200, headers: {}, body: '', more: 'm1' }),
      'body.read': () => ({ body: '?', more: 'm2' }),
    });
    const { body } = await get(pair);
    const reading = async () => {
      for await (const _ of body);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'bridge_unavailable' });
    await settle();
    const closed = sent('body.close').map(({ params }) => Object(params).body);
    expect(closed.sort()).toEqual(['m1', 'm2']);
  });
});

describe('a user agent that is lent', () => {
  const OPEN = {
    capture: 'host',
    redirect: { loopback: '127.0.0.1', path: '/callback', ports: 'any' },
  };
  const redirectUri = 'http://127.0.0.1:4000/callback';
  const ask = { timeoutMs: 1_000 };

  async function open(userAgent: RedirectUserAgent, maxMessageBytes = 1 << 20) {
    const pair = createPair();
    const lent = createFakeHost({ http: never });
    const host = { ...lent, userAgents: [userAgent] };
    const { nonce } = pair;
    const served = serveHost(host, pair.host, { nonce, offers: ['browser'], maxMessageBytes });
    const bridge = pair.bridge();
    const { visit } = await bridge.request('browser', 'visit.open', OPEN, ask);
    const close = () => (served.close(), bridge.close());
    return { pair, clock: lent.clock, served, bridge, visit, close };
  }

  test('may be made by a class', async () => {
    const urls: string[] = [];
    class Place {
      #isOpen = true;
      get redirectUri() {
        return redirectUri;
      }
      async navigate(url: string) {
        if (this.#isOpen) urls.push(url);
      }
      async close() {
        this.#isOpen = false;
        urls.push('closed');
      }
    }
    const { bridge, visit, close } = await open({ open: async () => new Place() });
    const url = 'https://as.example/';
    await bridge.request('browser', 'visit.navigate', { visit, url }, ask);
    await bridge.request('browser', 'visit.close', { visit }, ask);
    expect(urls).toEqual([url, 'closed']);
    close();
  });

  test.each(['visit.close', 'the end'])(
    'may fail to close, at %s: nobody is told',
    async (when) => {
      let closes = 0;
      const failing: RedirectUserAgent = {
        open: async () => ({
          redirectUri,
          navigate: async () => {},
          close: async () => {
            closes += 1;
            throw new Error('close failed');
          },
        }),
      };
      const unhandled: unknown[] = [];
      const hear = (error: unknown) => unhandled.push(error);
      process.on('unhandledRejection', hear);
      const { served, bridge, visit, close } = await open(failing);
      if (when === 'visit.close') {
        await expect(bridge.request('browser', when, { visit }, ask)).resolves.toEqual({});
      } else served.close();
      await settle();
      process.off('unhandledRejection', hear);
      expect([closes, unhandled]).toEqual([1, []]);
      close();
    },
  );

  test.each([
    ['the message', 8_192, 9_000],
    ['16,384 characters', 1 << 20, 16_400],
  ])(
    'gives a redirect longer than %s: the browser is answered, the panel told',
    async (_, limit, length) => {
      let redirect: (url: string) => Promise<unknown> = never;
      const userAgent: RedirectUserAgent = {
        async open({ onRedirect }) {
          redirect = onRedirect;
          return { redirectUri, navigate: async () => {}, close: async () => {} };
        },
      };
      const { bridge, clock, visit, close } = await open(userAgent, limit);
      const heard: object[] = [];
      bridge.on('visit.redirect', (params) => heard.push(params));
      bridge.on('visit.window', (params) => heard.push(params));
      await expect(redirect(`${redirectUri}?code=${'c'.repeat(length)}`)).resolves.toEqual({
        kind: 'ignored',
      });
      await settle();
      expect([heard, clock.pending]).toEqual([[{ visit, fate: 'lost' }], 0]);
      // One that fits still passes.
      void redirect(`${redirectUri}?code=c`);
      await settle();
      expect(heard[1]).toMatchObject({ visit, url: `${redirectUri}?code=c` });
      close();
    },
  );
});
