// A host function is believed no more than a server is: whatever it does, the library says what is wrong, in time,
// and in its own words.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { createEngineHost, type EngineHost, type HostCall } from 'mortise/engine';
import { createNodeHost } from 'mortise/node';
import { memoryStore } from 'mortise';
import { createAbortNames } from '../../../adapters/engine/abort-names.js';
import type { HttpRequest, RedirectUserAgent, VisitRequest } from '../../../src/ports/index.js';
import { newSecret } from '../../support/canaries.js';
import { settle } from '../../support/fake-clock.js';
import { playHost, Refusal, type PlayedHost } from './played-host.js';

const RULE = { loopback: '127.0.0.1', path: '/callback', ports: 'any' } as const;
const REDIRECT_URI = 'http://127.0.0.1:4711/callback';

const request = (more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url: 'https://as.example/',
  headers: {},
  signal: new AbortController().signal,
  ...more,
});

const never = () => new Promise<never>(() => {});

/** A program whose time is turned by hand, and which has nothing else that is real. */
function play() {
  let nowMs = 0;
  const played = playHost(createNodeHost({ store: memoryStore() }));
  const { methods } = played;
  methods['clock.monotonic'] = () => nowMs;
  methods['wait'] = () => new Refusal('unsupported');
  methods['browser.reserve'] = () => ({ redirectUri: REDIRECT_URI });
  methods['browser.open'] = () => null;
  methods['browser.release'] = () => null;
  methods['browser.redirect'] = never;
  const host = createEngineHost({ call: played.call });
  return {
    ...played,
    host,
    async pass(ms: number) {
      await settle();
      nowMs += ms;
      host.tick();
      await settle();
    },
  };
}

const agentOf = (host: EngineHost) => host.userAgents[0] as RedirectUserAgent;

function visit(more: Partial<VisitRequest> = {}): Omit<VisitRequest, 'device'> {
  const { signal } = new AbortController();
  const ignore = async () => ({ kind: 'ignored' }) as const;
  return { redirect: RULE, signal, onRedirect: ignore, onWindow() {}, ...more };
}

const failing = (code: string, details: object = {}) =>
  expect.objectContaining({
    name: 'MortiseError',
    code,
    details: expect.objectContaining(details),
  });

test('without a function: told at once', () => {
  const options = {} as { call: HostCall };
  expect(() => createEngineHost(options)).toThrow(failing('configuration_error'));
});

test('a public client; nothing is asked for before a session asks', () => {
  const { host, called } = play();
  expect(host.client).toBe('public');
  expect(called).toEqual([]);
});

test('a host that can do nothing: each part says so', async () => {
  const host = createEngineHost({ call: () => '{"error":{"code":"unsupported"}}' });
  await expect(host.http(request())).rejects.toEqual(failing('bridge_unavailable'));
  const absent = failing('store_unavailable', { problem: 'absent' });
  await expect(host.store.get('a')).rejects.toEqual(absent);
  await expect(host.store.set('a', 'b')).rejects.toEqual(absent);
  await expect(host.store.remove('a')).rejects.toEqual(absent);
  await expect(agentOf(host).open(visit())).rejects.toEqual(failing('bridge_unavailable'));
  expect(() => host.crypto.randomBytes(8)).toThrow(failing('configuration_error'));
  expect(host.clock.monotonicMs()).toBeGreaterThan(0);
});

const USES: ReadonlyArray<[method: string, use: (host: EngineHost) => Promise<unknown>]> = [
  ['http', (host) => host.http(request())],
  ['store.get', (host) => host.store.get('a')],
  ['store.set', (host) => host.store.set('a', 'b')],
  ['store.remove', (host) => host.store.remove('a')],
  ['browser.reserve', (host) => agentOf(host).open(visit())],
  [
    'browser.open',
    async (host) => (await agentOf(host).open(visit())).navigate('https://as.example/'),
  ],
  ['random', async (host) => host.crypto.randomBytes(8)],
];

/** What a host may do instead of answering. */
const MISDEEDS: ReadonlyArray<[name: string, answer: (secret: string) => unknown]> = [
  [
    'throws',
    (secret) => {
      throw new Error(secret);
    },
  ],
  [
    'throws what is no error',
    (secret) => {
      throw secret;
    },
  ],
  ['rejects', (secret) => Promise.reject(new Error(secret))],
  ['gives no text', () => 4],
  ['gives nothing', () => undefined],
  ['gives a promise of nothing', async () => undefined],
  ['gives no JSON', (secret) => `{${secret}`],
  ['gives no record', (secret) => JSON.stringify(secret)],
  ['gives null', () => 'null'],
  ['gives an empty record', () => '{}'],
  ['refuses in words of its own', (secret) => JSON.stringify({ error: { code: secret } })],
  ['refuses with a record', (secret) => JSON.stringify({ error: { code: { secret } } })],
  [
    'gives a thenable that throws',
    (secret) => ({
      then() {
        throw new Error(secret);
      },
    }),
  ],
  ['gives too much', () => `{"result":"${'x'.repeat(32 * 1024 * 1024)}"}`],
];

describe.each(USES)('%s', (method, use) => {
  test.each(MISDEEDS)('that %s is a MortiseError, in words of ours', async (_, answer) => {
    const { call } = play();
    const secret = newSecret('a word of the host');
    const misdeed = (asked: string, params: string) =>
      asked === method ? (answer(secret) as string) : call(asked, params);
    const host = createEngineHost({ call: misdeed });
    const error: unknown = await use(host).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'MortiseError' });
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(secret);
  });
});

describe('what never answers', () => {
  test('a store: unavailable after 12 s, and the next use is not held up', async () => {
    const { host, methods, pass } = play();
    methods['store.get'] = never;
    const got = expect(host.store.get('a')).rejects.toEqual(
      failing('store_unavailable', { problem: 'timeout' }),
    );
    const set = host.store.set('a', 'b');
    await pass(11_999);
    await pass(1);
    await got;
    await set;
  });

  test('http: ends with the signal, and the host is told', async () => {
    const { host, methods, called } = play();
    methods['http'] = never;
    const stop = new AbortController();
    const response = host.http(request({ signal: stop.signal }));
    await settle();
    stop.abort();
    await expect(response).rejects.toEqual(failing('aborted'));
    const { params } = called.find(({ method }) => method === 'http') ?? {};
    expect(called.at(-1)).toEqual({ method: 'cancel', params: { id: params?.id } });
  });

  test.each(['browser.open', 'browser.release'])(
    '%s: close does not wait for it',
    async (method) => {
      const { host, methods, pass } = play();
      methods[method] = never;
      const trip = await agentOf(host).open(visit());
      const shown = trip.navigate('https://as.example/').catch(({ code }) => code);
      const closed = trip.close();
      await pass(900);
      await closed;
      expect([undefined, 'aborted']).toContain(await shown);
    },
  );

  test('browser.reserve: ends with the signal; what it may have reserved is released', async () => {
    const { host, methods, called } = play();
    methods['browser.reserve'] = never;
    const stop = new AbortController();
    const opened = agentOf(host).open(visit({ signal: stop.signal }));
    stop.abort();
    await expect(opened).rejects.toEqual(failing('aborted'));
    expect(called.map(({ method }) => method)).toEqual([
      'browser.reserve',
      'cancel',
      'browser.release',
    ]);
  });
});

test('browser.reserve: what comes after the sign-in has ended is released once more', async () => {
  const { host, methods, called } = play();
  let answer: (result: unknown) => void = () => {};
  methods['browser.reserve'] = () => new Promise((resolve) => (answer = resolve));
  const stop = new AbortController();
  const opening = agentOf(host).open(visit({ signal: stop.signal }));
  await settle();
  stop.abort();
  await expect(opening).rejects.toEqual(failing('aborted'));
  answer({ redirectUri: REDIRECT_URI });
  await settle();
  expect(called.map(({ method }) => method)).toEqual([
    'browser.reserve',
    'cancel',
    'browser.release',
    'browser.release',
  ]);
});

test.each(['failed', 'offline', 'timeout'])(
  'no network, the host says %s: network_error, which can be tried again',
  async (code) => {
    const { host, methods } = play();
    methods['http'] = () => new Refusal(code);
    const error = { code: 'network_error', details: { host: 'as.example' }, retryable: true };
    await expect(host.http(request())).rejects.toMatchObject(error);
    methods['http'] = () => ({ status: 200, headers: {}, body: 'aGk=', more: true });
    methods['http.read'] = () => new Refusal(code);
    const { body } = await host.http(request());
    const read = async () => {
      for await (const piece of body) expect(piece).toHaveLength(2);
    };
    await expect(read()).rejects.toMatchObject(error);
  },
);

describe('the redirect that a host reserves', () => {
  // prettier-ignore
  test.each<[redirectUri: unknown, redirect?: VisitRequest['redirect']]>([
    [undefined], [4], ['http://127.0.0.1:0/callback'], ['http://127.0.0.1:70000/callback'], ['http://127.0.0.1/callback'],
    ['http://127.0.0.1:80@evil.example/callback'], ['http://127.0.0.1.evil.example:80/callback'], ['https://127.0.0.1:80/callback'],
    ['http://localhost:80/callback'], ['http://127.0.0.1:80/callback/'], ['http://127.0.0.1:80/x/callback'], ['http://127.0.0.1:8e3/callback'],
    ['http://127.0.0.1:81/callback', { ...RULE, ports: [80] }],
    ['https://panel.example/callback/', ['https://panel.example/callback']],
  ])('%s: not one that was asked for', async (redirectUri, redirect = RULE) => {
    const { host, methods, called } = play();
    methods['browser.reserve'] = () => ({ redirectUri });
    await expect(agentOf(host).open(visit({ redirect }))).rejects.toEqual(failing('bridge_unavailable'));
    expect(called.at(-1)?.method).toBe('browser.release');
  });

  test.each<[code: string, told: string, details: object]>([
    ['port_in_use', 'redirect_port_in_use', { ports: [80] }],
    ['failed', 'browser_not_opened', {}],
  ])('code %s is %s', async (code, told, details) => {
    const { host, methods } = play();
    methods['browser.reserve'] = () => new Refusal(code, [80]);
    await expect(agentOf(host).open(visit())).rejects.toEqual(failing(told, details));
  });

  test('where the host cannot listen, the user pastes', async () => {
    const { host, methods, called } = play();
    methods['browser.reserve'] = () => ({ redirectUri: REDIRECT_URI, catches: false });
    const trip = await agentOf(host).open(visit());
    expect(trip).toMatchObject({ redirectUri: REDIRECT_URI, answerBy: 'paste' });
    expect(called.map(({ method }) => method)).not.toContain('browser.redirect');
    await trip.close();
  });
});

describe('redirects', () => {
  /** Gives these answers to `browser.redirect`, then none. */
  function answering(answers: readonly unknown[]) {
    const left = [...answers];
    const played = play();
    played.methods['browser.redirect'] = () => (left.length > 0 ? left.shift() : never());
    return played;
  }

  test('what is none is passed over, and the next one is asked for', async () => {
    const url = `${REDIRECT_URI}?code=c`;
    const { host, pass } = answering([null, 4, { url }, 'x'.repeat(40_000), url]);
    const arrived: string[] = [];
    const onRedirect: VisitRequest['onRedirect'] = async (text) => {
      arrived.push(text);
      return { kind: 'ignored' };
    };
    await agentOf(host).open(visit({ onRedirect }));
    for (let i = 0; i < 4; i += 1) await pass(250);
    expect(arrived).toEqual([url]);
  });

  test.each([
    ['closed', 'closed'],
    ['lost', 'lost'],
    ['unsupported', 'lost'],
  ])('code %s: the window is %s', async (code, fate) => {
    const { host } = answering([new Refusal(code)]);
    const fates: string[] = [];
    await agentOf(host).open(visit({ onWindow: (is) => void fates.push(is) }));
    await settle();
    expect(fates).toEqual([fate]);
  });

  test('a program that says "none yet" at once is asked for as long as the user may take', async () => {
    const url = `${REDIRECT_URI}?code=c`;
    const { host, methods, pass } = play();
    let asked = 0;
    methods['browser.redirect'] = () =>
      (asked += 1) < 1_500 ? null : asked > 1_500 ? never() : url;
    const arrived: string[] = [];
    const fates: string[] = [];
    const onRedirect: VisitRequest['onRedirect'] = async (text) => {
      arrived.push(text);
      return { kind: 'ignored' };
    };
    const onWindow: VisitRequest['onWindow'] = (is) => void fates.push(is);
    await agentOf(host).open(visit({ onRedirect, onWindow }));
    for (let i = 0; i < 1_500; i += 1) await pass(250);
    expect([arrived, fates]).toEqual([[url], []]);
  });

  test('the same one for ever is given up at some time', async () => {
    const { host, methods } = play();
    methods['browser.redirect'] = () => REDIRECT_URI;
    const fates: string[] = [];
    await agentOf(host).open(visit({ onWindow: (is) => void fates.push(is) }));
    for (let i = 0; i < 500 && fates.length === 0; i += 1) await settle();
    expect(fates).toEqual(['lost']);
  });
});

describe('an answer to http', () => {
  // prettier-ignore
  test.each<[name: string, result: unknown]>([
    ['nothing',             null],
    ['a status in words',   { status: '200' }],
    ['status 99',           { status: 99 }],
    ['status 600',          { status: 600 }],
    ['a body of numbers',   { status: 200, body: [1, 2] }],
    ['a body in the clear', { status: 200, body: '{"a": 1}' }],
    ['more in words',       { status: 200, more: 'yes' }],
  ])('%s: is none', async (_, result) => {
    const { host, methods } = play();
    methods['http'] = () => result;
    await expect(host.http(request())).rejects.toEqual(failing('bridge_unavailable'));
  });

  test('headers: by any spelling, joined when twice, without what is no text', async () => {
    const { host, methods } = play();
    methods['http'] = () => ({
      status: 200,
      headers: { 'X-Two': 'a', 'x-two': 'b', age: 4, __proto__: null },
    });
    const { headers } = await host.http(request());
    expect(['x-two', 'age', 'toString'].map((name) => headers.get(name) ?? null)).toEqual([
      'a, b',
      null,
      null,
    ]);
  });

  test('pieces without a byte for ever: given up', async () => {
    const { host, methods } = play();
    methods['http'] = methods['http.read'] = () => ({ status: 200, more: true });
    const { body } = await host.http(request());
    const read = async () => {
      for await (const piece of body) expect(piece).toBeUndefined();
    };
    await expect(read()).rejects.toEqual(failing('bridge_unavailable'));
  });
});

describe('time', () => {
  test('that goes back stands still; a clock that fails stands still', () => {
    const { host, methods } = play();
    const answers = [5, 9, 4, Number.NaN, new Refusal('failed'), 10];
    methods['clock.monotonic'] = () => answers.shift();
    expect([1, 2, 3, 4, 5, 6].map(() => host.clock.monotonicMs())).toEqual([5, 9, 9, 9, 9, 10]);
  });

  test('wait that answers too early: nobody is called back before it is time, and no question goes in circles', async () => {
    const { host, methods, called, pass } = play();
    methods['wait'] = () => null;
    let calls = 0;
    host.clock.after(100, () => (calls += 1));
    await pass(99);
    expect(calls).toBe(0);
    expect(called.filter(({ method }) => method === 'wait').length).toBeLessThan(5);
    await pass(1);
    expect(calls).toBe(1);
  });

  test('wait that answers too early, for a timer of years: no question goes in circles either', async () => {
    const { host, methods, called } = play();
    let waits = 0;
    methods['wait'] = () => ((waits += 1) < 100 ? null : new Refusal('unsupported'));
    const stop = host.clock.after(Infinity, () => {});
    await settle();
    stop();
    expect(called.filter(({ method }) => method === 'wait').length).toBeLessThan(5);
  });

  test('wait that fails once is asked again, and later ones wait as before', async () => {
    const { host, methods } = play();
    let fails = true;
    const waits: (() => void)[] = [];
    methods['wait'] = () => {
      if (fails) throw new Error('not now');
      return new Promise<void>((resolve) => waits.push(resolve));
    };
    methods['clock.monotonic'] = () => 0;
    let calls = 0;
    host.clock.after(100, () => (calls += 1));
    fails = false;
    await settle();
    host.clock.after(100, () => (calls += 1));
    await settle();
    expect(waits).toHaveLength(2);
    methods['clock.monotonic'] = () => 100;
    waits.forEach((resolve) => resolve());
    await settle();
    expect(calls).toBe(2);
  });

  test('wait that never answers: whoever is due goes on after any other answer', async () => {
    const { host, methods, pass } = play();
    methods['wait'] = never;
    let calls = 0;
    host.clock.after(100, () => (calls += 1));
    await pass(0);
    methods['clock.monotonic'] = () => 100;
    await host.store.get('a');
    expect(calls).toBe(1);
  });
});

describe('case 4: randomness', () => {
  // prettier-ignore
  test.each<[name: string, random: PlayedHost['methods'][string]]>([
    ['is refused',                  () => new Refusal('unsupported')],
    ['fails',                       () => { throw new Error('no source'); }],
    ['is too little',               () => Buffer.alloc(4, 7).toString('base64')],
    ['is too much',                 () => Buffer.alloc(400, 7).toString('base64')],
    ['is no base64',                () => '*'.repeat(44)],
    ['is a number',                 () => 4],
    ['comes later',                 async ({ length }) => randomBytes(length as number).toString('base64')],
    ['is the same as before',       ({ length }) => Buffer.alloc(length as number, 7).toString('base64')],
  ])('that %s: none at all', (_, random) => {
    const { host, methods } = play();
    methods['random'] = random;
    const take = () => [host.crypto.randomBytes(32), host.crypto.randomBytes(32)];
    expect(take).toThrow(failing('configuration_error'));
  });
});

test('AbortController is told apart from that of Node by nobody here', () => {
  const own = createAbortNames() as {
    AbortController: typeof AbortController;
    AbortSignal: typeof AbortSignal;
  };
  const act = (names: typeof own) => {
    const told: string[] = [];
    const { signal, ...controller } = ((it) => ({ signal: it.signal, abort: () => it.abort() }))(
      new names.AbortController(),
    );
    const removed = () => told.push('removed');
    const late = () => told.push('late');
    signal.addEventListener('abort', () => told.push('one'));
    signal.addEventListener('abort', removed);
    signal.addEventListener('abort', () => signal.removeEventListener('abort', late), {
      once: true,
    });
    signal.addEventListener('abort', late);
    signal.removeEventListener('abort', removed);
    told.push(String(signal.aborted));
    controller.abort();
    controller.abort();
    signal.addEventListener('abort', () => told.push('after the end'));
    return [...told, signal.aborted, names.AbortSignal.abort().aborted];
  };
  expect(act(own)).toEqual(act({ AbortController, AbortSignal }));
  const { signal, ...rest } = ((it) => ({ signal: it.signal, abort: () => it.abort() }))(
    new own.AbortController(),
  );
  const told: string[] = [];
  signal.addEventListener('abort', () => {
    throw new Error('mine');
  });
  signal.addEventListener('abort', () => told.push('two'));
  rest.abort();
  expect(told).toEqual(['two']);
});

test('the guide has every method, and no other', () => {
  const guide = readFileSync(join(__dirname, '../../../adapters/engine/README.md'), 'utf8');
  const rows = [...guide.matchAll(/^\| `([a-z.]+)` +\|/gm)].map(([, method]) => method).sort();
  const { methods }: Pick<PlayedHost, 'methods'> = playHost(
    createNodeHost({ store: memoryStore() }),
  );
  expect(rows).toEqual(Object.keys(methods).sort());
});
