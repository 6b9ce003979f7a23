// What a page can leave behind, and what a host keeps for it: hanging work, uploads, answers that do not fit.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { electronChannel, serveHost, serveSession } from '../../../adapters/webview/index.js';
import type { ServableSession } from '../../../adapters/webview/index.js';
import { createUploads } from '../../../adapters/webview/host/serve-uploads.js';
import { createRequests } from '../../../adapters/webview/host/serve-requests.js';
import { MortiseError } from 'mortise';
import type { HttpRequest, RedirectUserAgent } from '../../../src/ports/index.js';
import { settle } from '../../support/fake-clock.js';
import { createFakeHost, deferred, type FakeHostOptions } from '../../support/fake-host.js';
import { createPair, parsed, rpc, type Pair } from './panel-pair.js';

const never = () => new Promise<never>(() => {});
const http = async () => never();
const OPEN = {
  capture: 'host',
  redirect: { loopback: '127.0.0.1', path: '/callback', ports: 'any' },
};
const GET = { method: 'GET', url: 'https://api.example/', headers: {} };

/** What a host program may hand over; of a session only what the test looks at. */
const sessionOf = (more: object) =>
  ({
    state: { name: 'signedOut', reason: 'never' },
    onChange: () => () => {},
    restore: async () => {},
    share: () => ({ getAccessToken: async () => 't', api: { request: never } }),
    ...more,
  }) as unknown as ServableSession;

const tell = (pair: Pair, id: string, method: string, params: object) =>
  pair.inject('host', rpc(pair.nonce, { id, method, params }));
const cancel = (pair: Pair, id: string) =>
  pair.inject('host', rpc(pair.nonce, { method: 'cancel', params: { id } }));
const answers = (pair: Pair, id: string) =>
  parsed(pair.toPanel).filter((each) => each['id'] === id);

function serve(options: Partial<FakeHostOptions> = {}, more: object = {}) {
  const pair = createPair();
  const lent = createFakeHost({ http, ...options });
  const served = serveHost(
    options.userAgents ? { ...lent, userAgents: options.userAgents } : lent,
    pair.host,
    {
      nonce: pair.nonce,
      offers: ['browser', 'http', 'store'],
      ...more,
    },
  );
  return { pair, lent, served };
}

describe('an error that is longer than a message', () => {
  test.each([
    ['has its code alone', Array.from({ length: 40 }, () => 'm'.repeat(290)), undefined],
    ['is whole where it fits', ['m'], ['m']],
  ])('%s', async (_, messages, told) => {
    const failure = new MortiseError('graphql_error', { codes: ['X'], messages });
    const request = async () => Promise.reject(failure);
    const pair = createPair();
    const session = sessionOf({ share: () => ({ api: { request } }) });
    const served = serveSession(session, pair.host, { nonce: pair.nonce, maxMessageBytes: 8_192 });
    tell(pair, 'r1', 'session.request', { path: 'x', headers: {} });
    await settle();
    const [answer] = answers(pair, 'r1') as {
      error: { data: { code: string; details?: object } };
    }[];
    expect(answer?.error.data.code).toBe('graphql_error');
    expect(answer?.error.data.details).toEqual(told && { codes: ['X'], messages: told });
    served.close();
  });
});

describe('a request that is withdrawn while its work hangs', () => {
  test('is answered at once, once, and its place is free', async () => {
    const { pair, served } = serve({
      store: { ...createFakeHost({ http }).store, get: never },
    });
    const ids = Array.from({ length: 64 }, (_, i) => `g${i}`);
    for (const id of ids) tell(pair, id, 'store.get', { key: id });
    for (const id of [...ids, ...ids]) cancel(pair, id);
    for (const id of ids) {
      expect(answers(pair, id)).toMatchObject([{ error: { data: { code: 'aborted' } } }]);
    }
    tell(pair, 'after', 'store.remove', { key: 'k' });
    await settle();
    expect(answers(pair, 'after')).toMatchObject([{ result: {} }]);
    served.close();
  });

  test('leaves no visit that opens later', async () => {
    const opening = deferred<void>();
    let isOpen = false;
    const userAgent: RedirectUserAgent = {
      async open() {
        await opening.promise;
        isOpen = true;
        return {
          redirectUri: 'http://127.0.0.1:4000/callback',
          navigate: async () => {},
          close: async () => void (isOpen = false),
        };
      },
    };
    const { pair, served } = serve({ userAgents: [userAgent] });
    tell(pair, 'o1', 'visit.open', OPEN);
    await settle();
    cancel(pair, 'o1');
    expect(answers(pair, 'o1')).toMatchObject([{ error: { data: { code: 'aborted' } } }]);
    opening.resolve();
    await settle();
    expect([isOpen, answers(pair, 'o1').length]).toEqual([false, 1]);
    served.close();
  });

  test.each([
    ['visit.open', { visit: 'n1' }, ['visit.close', { visit: 'n1' }]],
    ['http.request', { body: 'aGk=', more: 'n1' }, ['body.close', { body: 'n1' }]],
    ['body.write', { body: 'n1' }, ['body.close', { body: 'n1' }]],
  ])(
    '%s: what a late result names is closed, and the result is not sent',
    async (method, result, closing) => {
      const late = deferred<object>();
      const calls: unknown[] = [];
      const sent: unknown[] = [];
      const requests = createRequests(
        (asked) => async (params) => {
          if (asked === method) return (await late.promise) as Record<string, unknown>;
          calls.push([asked, params]);
          return {};
        },
        (message) => sent.push(message),
      );
      const answering = requests.answer('1', method, {});
      requests.withdraw('1');
      late.resolve(result);
      await answering;
      expect(sent).toMatchObject([{ id: '1', error: { data: { code: 'aborted' } } }]);
      expect(calls).toEqual([closing]);
    },
  );
});

describe('an answer that cannot be sent', () => {
  test.each([
    ['an answer', { visit: 'n1' }, ['visit.close', 'visit.open']],
    ['an error', new Error('no'), ['visit.open']],
  ])('%s: nothing is left open, and nothing rejects', async (_, outcome, expected) => {
    const calls: string[] = [];
    const requests = createRequests(
      (method) => async () => {
        calls.push(method);
        if (method !== 'visit.open') return {};
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
      () => {
        throw new Error('the view is gone');
      },
    );
    await expect(requests.answer('1', 'visit.open', {})).resolves.toBeUndefined();
    expect(calls.sort()).toEqual(expected);
  });

  test('a limit that is lowered while an answer gathers is kept', async () => {
    const requests: HttpRequest[] = [];
    const whole = new Uint8Array(30_000).map((_, i) => i);
    const { pair, lent, served } = serve({
      http: async (request) => {
        requests.push(request);
        const body = async function* () {
          yield whole;
          await never();
        };
        return { status: 200, headers: new Map(), body: body() };
      },
    });
    tell(pair, 'r1', 'http.request', GET);
    await lent.clock.advance(50);
    tell(pair, 'h1', 'hello', { protocol: 1, maxMessageBytes: 4_096 });
    await lent.clock.advance(50);
    const [answer] = answers(pair, 'r1') as { result: { body: string; more: string } }[];
    const pieces = [Buffer.from(answer?.result.body ?? '', 'base64')];
    for (let i = 0; Buffer.concat(pieces).length < whole.length; i += 1) {
      tell(pair, `b${i}`, 'body.read', { body: answer?.result.more });
      await settle();
      const [piece] = answers(pair, `b${i}`) as { result: { body: string } }[];
      pieces.push(Buffer.from(String(piece?.result.body), 'base64'));
    }
    expect(Buffer.concat(pieces).equals(whole)).toBe(true);
    expect(Math.max(...pair.toPanel.map((text) => text.length))).toBeLessThanOrEqual(4_096);
    served.close();
    expect(requests[0]?.signal.aborted).toBe(true);
  });

  test('a body that ends while the limit is lowered is whole', async () => {
    const end = deferred<void>();
    const whole = new Uint8Array(9_000).map((_, i) => i);
    const { pair, served } = serve({
      http: async () => {
        const body = async function* () {
          yield whole;
          await end.promise;
        };
        return { status: 200, headers: new Map(), body: body() };
      },
    });
    tell(pair, 'r1', 'http.request', GET);
    await settle();
    tell(pair, 'h1', 'hello', { protocol: 1, maxMessageBytes: 4_096 });
    end.resolve();
    await settle();
    let [{ result }] = answers(pair, 'r1') as [{ result: { body: string; more: string | null } }];
    const pieces = [result.body];
    for (let i = 0; result.more !== null; i += 1) {
      tell(pair, `b${i}`, 'body.read', { body: result.more });
      await settle();
      [{ result }] = answers(pair, `b${i}`) as [{ result: typeof result }];
      pieces.push(result.body);
    }
    const got = Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64')));
    expect(got.equals(whole)).toBe(true);
    served.close();
  });
});

describe('uploads', () => {
  /** Half a MiB, as long as a piece gets. */
  const data = Buffer.alloc(1 << 19).toString('base64');
  const PIECES = 128;
  const isRefused = (write: () => unknown) => {
    try {
      write();
      return false;
    } catch {
      return true;
    }
  };

  test('of a page are 64 MiB in all, with those that a request is made of', async () => {
    const uploads = createUploads();
    const names: string[] = [];
    for (let i = 0; i < PIECES; i += 1) {
      const name = names[i % 4] ?? null;
      const { body } = uploads.write({ body: name, data });
      if (!name) names.push(body);
    }
    const isFull = () => isRefused(() => uploads.write({ body: null, data: 'AA==' }));
    expect(isFull()).toBe(true);
    const using = deferred<void>();
    let length = 0;
    const lent = uploads.lend({ upload: names[0] }, async (body) => {
      length = body?.length ?? 0;
      await using.promise;
    });
    expect(isFull()).toBe(true);
    using.resolve();
    await lent;
    expect([length, isFull()]).toEqual([(PIECES / 4) << 19, false]);
    // What grows too long is gone, and its room is free.
    const rest = PIECES / 4;
    let writes = 0;
    while (!isRefused(() => uploads.write({ body: names[1], data }))) writes += 1;
    expect(writes).toBe(rest - 1);
    expect(
      [names[1], names[2]].map((upload) => isRefused(() => uploads.write({ body: upload, data }))),
    ).toEqual([true, false]);
    uploads.close();
    expect(isFull()).toBe(false);
  });

  test('of many small pieces and some long ones are whole, in order', async () => {
    const uploads = createUploads();
    const lengths = [1, 0, 70_000, 3, 65_535, 2, 65_536, 40_000, 40_000, 1];
    const pieces = lengths.map((length, i) => Buffer.alloc(length, i + 1));
    let name: string | null = null;
    for (const piece of pieces) {
      name = uploads.write({ body: name, data: piece.toString('base64') }).body;
    }
    await uploads.lend({ upload: name }, async (body) => {
      expect(Buffer.concat(pieces).equals(Buffer.from(body ?? []))).toBe(true);
    });
    uploads.close();
  });

  test('of one-byte pieces cost no kilobyte for each', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const held = () => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const uploads = createUploads();
    const { body } = uploads.write({ body: null, data: 'AA==' });
    const before = held();
    for (let i = 0; i < 50_000; i += 1) uploads.write({ body, data: 'AA==' });
    expect(held() - before).toBeLessThan(4 << 20);
    uploads.close();
  });
});

test('a session whose panel cannot be served is lent to nobody', () => {
  let signal: AbortSignal | undefined;
  let listeners = 0;
  const session = sessionOf({
    onChange: () => ((listeners += 1), () => (listeners -= 1)),
    share: (options: { signal: AbortSignal }) => ((signal = options.signal), {}),
  });
  const { host } = createPair();
  expect(() => serveSession(session, host, { nonce: 'short' })).toThrow('nonce');
  expect([signal?.aborted, listeners]).toEqual([true, 0]);
  const deaf = {
    ...host,
    onMessage() {
      throw new Error('there is no view');
    },
  };
  expect(() => serveSession(session, deaf)).toThrow('there is no view');
  expect([signal?.aborted, listeners]).toEqual([true, 0]);
});

test('a preload script may deliver what it has kept before it returns', () => {
  const page = globalThis as Record<string, unknown>;
  const heard: string[] = [];
  page['mortise'] = {
    send() {},
    onMessage: (listener: (text: string) => void) => (listener('kept'), () => {}),
  };
  electronChannel().onMessage((text) => heard.push(text));
  expect(heard).toEqual(['kept']);
  delete page['mortise'];
});
