// What a page or a host that means no good cannot do by numbers: requests, uploads, answers, pieces without bytes.
import { createByteList } from '../../../adapters/webview/host/byte-list.js';
import { createPlaces } from '../../../adapters/webview/panel/places.js';
import {
  connectSession,
  serveHost,
  serveSession,
  type ServableSession,
} from '../../../adapters/webview/index.js';
import { settle } from '../../support/fake-clock.js';
import {
  createFakeHost,
  deferred,
  toResponse,
  type FakeHostOptions,
} from '../../support/fake-host.js';
import { createPair, parsed, rpc, type Pair } from './panel-pair.js';

const { addEventListener } = EventTarget.prototype;
const never = () => new Promise<never>(() => {});
const GET = { method: 'GET', url: 'https://api.example/', headers: {} };
const STATE = { name: 'signedOut', reason: 'never' };

const tell = (pair: Pair, id: string, method: string, params: object) =>
  pair.inject('host', rpc(pair.nonce, { id, method, params }));
const cancel = (pair: Pair, id: string) =>
  pair.inject('host', rpc(pair.nonce, { method: 'cancel', params: { id } }));

function serve(options: Partial<FakeHostOptions> = {}) {
  const pair = createPair();
  const lent = createFakeHost({ http: never, ...options });
  const served = serveHost(lent, pair.host, { nonce: pair.nonce, offers: ['http', 'store'] });
  return { pair, lent, served };
}

type Asked = { readonly id?: string; readonly method: string };

/** A host by hand: what it answers to each method. */
function answering(answers: Readonly<Record<string, () => object | Promise<object>>>) {
  const pair = createPair();
  const known: typeof answers = {
    hello: () => ({ protocol: 1, name: '', offers: ['session'] }),
    'session.state': () => ({ seq: 1, state: STATE }),
    ...answers,
  };
  pair.host.onMessage(async (text) => {
    const { id, method } = JSON.parse(text) as Asked;
    if (id === undefined) return;
    const result = (await known[method]?.()) ?? {};
    pair.host.send(JSON.stringify(rpc(pair.nonce, { id, result })));
  });
  return { pair, session: connectSession(pair.bridge()) };
}

describe('a host', () => {
  test('takes no id that is still under way, however many came between', async () => {
    const signals: AbortSignal[] = [];
    const http = ({ signal }: { signal: AbortSignal }) => (signals.push(signal), never());
    const { pair, served } = serve({ http });
    for (let again = 0; again < 3; again += 1) {
      tell(pair, 'same', 'http.request', GET);
      for (let other = 0; other < 1_000; other += 1) tell(pair, `${again} ${other}`, 'x', {});
      await settle();
    }
    expect(signals).toHaveLength(1);
    expect(served.dropped).toBe(2);
    served.close();
    expect(signals[0]?.aborted).toBe(true);
  });

  test('does not write what was withdrawn before its turn', async () => {
    const gate = deferred<void>();
    const written: string[] = [];
    const { store } = createFakeHost({ http: never });
    const set = async (_: string, value: string) => {
      written.push(value);
      await gate.promise;
    };
    const { pair, served } = serve({ store: { ...store, set } });
    for (const value of ['first', 'second', 'third']) {
      tell(pair, value, 'store.set', { key: 'k', value });
      if (value === 'second') cancel(pair, value);
    }
    await settle();
    gate.resolve();
    await settle();
    expect(written).toEqual(['first', 'third']);
    const [second] = parsed(pair.toPanel).filter(({ id }) => id === 'second');
    expect(second).toMatchObject({ error: { data: { code: 'aborted' } } });
    served.close();
  });

  test('frees everything also where the view is gone already', async () => {
    const pair = createPair();
    let signal: AbortSignal | undefined;
    const lent = createFakeHost({ http: (request) => ((signal = request.signal), never()) });
    const served = serveHost(
      lent,
      {
        send: pair.host.send,
        onMessage(listener) {
          pair.host.onMessage(listener);
          return () => {
            throw new TypeError('Object has been destroyed');
          };
        },
      },
      { nonce: pair.nonce, offers: ['http'] },
    );
    tell(pair, 'a', 'http.request', GET);
    await settle();
    served.close();
    expect(signal?.aborted).toBe(true);
  });

  test.each([
    [
      'an id',
      `"id":"\\ud800aaaaaaaaaaaaaaaaaaaaaaa","method":"store.get","params":{"key":"k"}`,
      [],
    ],
    ['a key', `"id":"p","method":"store.get","params":{"key":"\\ud800"}`, [-32602]],
    [
      'a header',
      `"id":"p","method":"http.request","params":{"method":"GET","url":"https://a.example/","headers":{"a":"\\udfff"}}`,
      [-32602],
    ],
  ])('takes no half of a character: %s', async (_, members, codes) => {
    const { pair, served } = serve();
    pair.inject('host', `{"jsonrpc":"2.0","nonce":"${pair.nonce}",${members}}`);
    await settle();
    const told = parsed(pair.toPanel).map(({ error }) => Object(error).code as number);
    expect(told).toEqual(codes);
    served.close();
  });
});

describe('a panel', () => {
  test('ends a body of which no piece has a byte', async () => {
    let reads = 0;
    const { session } = answering({
      'session.request': () => ({ status: 200, headers: {}, body: '', more: 'x' }),
      'body.read': () => ((reads += 1), { body: '', more: 'x' }),
    });
    const answer = await session.api.request({ path: 'x' });
    await expect(answer.text()).rejects.toMatchObject({ code: 'bridge_unavailable' });
    expect(reads).toBe(1);
    session.close();
  });

  test('finds a header by its name in lower case, however the host writes it', async () => {
    const headers = { 'Retry-After': '3' };
    const { session } = answering({
      'session.request': () => ({ status: 200, headers, body: '', more: null }),
    });
    const answer = await session.api.request({ path: 'x' });
    expect(answer.headers.get('retry-after')).toBe('3');
    session.close();
  });

  test('ends an upload whose source stands still when the host says bye', async () => {
    const { pair, session } = answering({});
    const body = (async function* () {
      yield await never();
    })();
    const request = session.api.request({ path: 'x', method: 'PUT', body });
    const failed = expect(request).rejects.toMatchObject({ code: 'bridge_unavailable' });
    await settle();
    pair.inject('panel', rpc(pair.nonce, { method: 'bye', params: {} }));
    await failed;
    session.close();
  });

  test('sends 64 requests at once and the others after them, so that none is refused', async () => {
    const gate = deferred<void>();
    let most = 0;
    let now = 0;
    const request = async () => {
      most = Math.max(most, (now += 1));
      await gate.promise;
      now -= 1;
      const { body, ...head } = toResponse({ text: 'x' });
      return { ...head, stream: () => body };
    };
    const pair = createPair();
    const shared = { share: () => ({ getAccessToken: async () => 't', api: { request } }) };
    const owner = { state: STATE, onChange: () => () => {}, restore: async () => {}, ...shared };
    const served = serveSession(owner as unknown as ServableSession, pair.host, {
      nonce: pair.nonce,
    });
    const session = connectSession(pair.bridge());
    await settle();
    const heard = new Map<unknown, number>();
    const listen = jest
      .spyOn(EventTarget.prototype, 'addEventListener')
      .mockImplementation(function (this: EventTarget, ...args) {
        heard.set(this, (heard.get(this) ?? 0) + 1);
        return addEventListener.apply(this, args);
      });
    const all = Array.from({ length: 100 }, () => session.api.request({ path: 'x' }));
    const tokens = Array.from({ length: 20 }, () => session.getAccessToken());
    await settle();
    listen.mockRestore();
    expect(most).toBe(64);
    // Where more than ten listen to one signal, Node warns of a leak.
    expect(Math.max(...heard.values())).toBeLessThan(10);
    expect(await Promise.all(tokens)).toEqual(Array(20).fill('t'));
    gate.resolve();
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual(Array(100).fill(200));
    session.close();
    served.close();
  });
});

describe('places', () => {
  const signalled = () => new AbortController();

  test('who leaves the queue is no longer in it, and takes no place along', async () => {
    const inPlace = createPlaces(1);
    const gate = deferred<string>();
    const first = inPlace(() => gate.promise);
    const leaver = signalled();
    const second = inPlace(async () => 'second', leaver.signal);
    const third = inPlace(async () => 'third');
    leaver.abort();
    await expect(second).rejects.toMatchObject({ code: 'aborted' });
    gate.resolve('first');
    expect(await Promise.all([first, third])).toEqual(['first', 'third']);
    expect(await inPlace(async () => 'fourth')).toBe('fourth');
  });

  test('who leaves in the moment a place is given hands it on', async () => {
    for (let moment = 0; moment < 10; moment += 1) {
      const inPlace = createPlaces(1);
      const gate = deferred<void>();
      const first = inPlace(() => gate.promise);
      const leaver = signalled();
      const second = inPlace(async () => 'second', leaver.signal);
      second.catch(() => {});
      const third = inPlace(async () => 'third');
      gate.resolve();
      for (let turn = 0; turn < moment; turn += 1) await null;
      leaver.abort();
      await first;
      expect(await Promise.race([third, settle()])).toBe('third');
    }
  });

  test('a task that fails frees its place', async () => {
    const inPlace = createPlaces(1);
    await expect(inPlace(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await inPlace(async () => 'next')).toBe('next');
  });
});

test('bytes that are put together are held once', () => {
  const list = createByteList();
  for (let piece = 0; piece < 4; piece += 1) list.add(new Uint8Array(1 << 16).fill(piece));
  const whole = list.whole();
  expect(whole).toHaveLength(1 << 18);
  expect(list.whole()).toBe(whole);
  list.add(new Uint8Array([9]));
  expect(list.whole()).toHaveLength((1 << 18) + 1);
});
