// Bodies, both ways: what is held for them, for how long, and how long their messages are.
import { hostTransport, openBridge, serveHost } from '../../../adapters/webview/index.js';
import type { BridgeOptions, ServeHostOptions } from '../../../adapters/webview/index.js';
import type { ByteStream, HttpRequest } from '../../../src/ports/index.js';
import { createAnswers } from '../../../adapters/webview/host/serve-answers.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { createFakeHost, deferred } from '../../support/fake-host.js';
import { createPair, parsed, rpc } from './panel-pair.js';

const bytes = (length: number) => new Uint8Array(length).map((_, i) => i);
const stream = async function* (...pieces: readonly Uint8Array[]): ByteStream & AsyncGenerator {
  yield* pieces;
};

interface Setting {
  readonly body?: (request: HttpRequest) => ByteStream;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bridge?: BridgeOptions;
  readonly serve?: Partial<ServeHostOptions>;
}

/** A panel whose host has a network that answers as the test says. */
function createWorld({ body = () => stream(), headers = {}, bridge, serve }: Setting = {}) {
  const pair = createPair();
  const requests: HttpRequest[] = [];
  const lent = createFakeHost({
    http: async (request) => {
      requests.push(request);
      return { status: 200, headers: new Map(Object.entries(headers)), body: body(request) };
    },
  });
  const { nonce } = pair;
  const served = serveHost(lent, pair.host, { nonce, offers: ['http'], ...serve });
  const http = hostTransport(pair.bridge(bridge));
  const controller = new AbortController();
  const send = (more: Partial<HttpRequest> = {}) =>
    http({
      method: 'GET',
      url: 'https://api.example/',
      headers: {},
      signal: controller.signal,
      ...more,
    });
  /** As a panel of another making would. */
  const ask = async (method: string, params: object) => {
    const id = `${Math.random()}`.padEnd(32, 'x');
    pair.inject('host', rpc(nonce, { id, method, params }));
    await settle();
    return parsed(pair.toPanel).find((each) => each['id'] === id) as {
      result?: Record<string, unknown>;
      error?: { code: number; data?: { code: string } };
    };
  };
  const get = () =>
    ask('http.request', { method: 'GET', url: 'https://api.example/', headers: {} });
  const asked = () => parsed(pair.toHost).map(({ method }) => method);
  return { ...pair, lent, served, requests, send, ask, get, asked, controller };
}

const gather = async (body: ByteStream) => {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
};

describe('an answer', () => {
  test.each([
    ['nothing', []],
    ['one piece', [bytes(5)]],
    ['several pieces', [bytes(5), bytes(0), bytes(7)]],
    ['exactly as much as one message holds', [bytes(1 << 19)]],
  ])('of %s takes one message, and nothing is held for it', async (_, pieces) => {
    const { get, requests, lent, served } = createWorld({ body: () => stream(...pieces) });
    const { result } = await get();
    expect(result?.['more']).toBeNull();
    const got = Buffer.from(String(result?.['body']), 'base64');
    expect(got.equals(Buffer.concat(pieces))).toBe(true);
    // The socket is free as well.
    expect(requests[0]?.signal.aborted).toBe(true);
    expect(lent.clock.pending).toBe(0);
    served.close();
  });

  test('that is longer goes on, and is whole in the end', async () => {
    const whole = bytes((1 << 19) + 1);
    const { send, asked, served } = createWorld({ body: () => stream(whole) });
    expect((await gather((await send()).body)).equals(whole)).toBe(true);
    expect(asked()).toEqual(['hello', 'http.request', 'body.read', 'body.read']);
    served.close();
  });

  test('is given after 100 ms, whether or not a byte has come; what comes later is missed by nobody', async () => {
    for (const first of [[], [bytes(3)]]) {
      const second = deferred<Uint8Array>();
      const { send, lent, served } = createWorld({
        body: async function* () {
          yield* first;
          yield await second.promise;
        },
      });
      const sending = send();
      let isThere = false;
      void sending.then(() => (isThere = true));
      await lent.clock.advance(99);
      expect(isThere).toBe(false);
      await lent.clock.advance(1);
      expect(isThere).toBe(true);
      second.resolve(bytes(4));
      const expected = Buffer.concat([...first, bytes(4)]);
      expect((await gather((await sending).body)).equals(expected)).toBe(true);
      expect(lent.clock.pending).toBe(0);
      served.close();
    }
  });

  test('whose first byte fails has failed, and nothing is held', async () => {
    const { get, requests, lent, served } = createWorld({
      body: async function* () {
        yield bytes(0);
        throw new Error('reset');
      },
    });
    const { error } = await get();
    expect(error?.data).toMatchObject({ code: 'network_error', details: { host: 'api.example' } });
    expect(requests[0]?.signal.aborted).toBe(true);
    expect(lent.clock.pending).toBe(0);
    served.close();
  });

  test('that breaks off later has come, and fails who reads on', async () => {
    const { send, requests, lent, served } = createWorld({
      body: async function* () {
        yield bytes(3);
        throw new Error('reset');
      },
    });
    const { status, body } = await send();
    expect(status).toBe(200);
    const read: number[] = [];
    const reading = async () => {
      for await (const { length } of body) read.push(length);
    };
    const broken = { code: 'network_error', details: { host: 'api.example' } };
    await expect(reading()).rejects.toMatchObject(broken);
    expect(read).toEqual([3]);
    expect(requests[0]?.signal.aborted).toBe(true);
    expect(lent.clock.pending).toBe(0);
    served.close();
  });

  test('that fails while nobody reads it fails the next read, and nothing else', async () => {
    const failing = deferred<Uint8Array>();
    const { send, lent, served } = createWorld({
      body: async function* () {
        yield await failing.promise;
      },
    });
    const sending = send();
    await lent.clock.advance(100);
    failing.reject(new Error('reset'));
    await settle();
    await expect(gather((await sending).body)).rejects.toMatchObject({ code: 'network_error' });
    served.close();
  });

  test.each([
    ['withdrawn', ({ controller }: ReturnType<typeof createWorld>) => controller.abort()],
    [
      'left by a page that goes away',
      ({ served }: ReturnType<typeof createWorld>) => served.close(),
    ],
  ])('%s while its beginning is waited for frees the socket', async (_, leave) => {
    let isLeft = false;
    const world = createWorld({
      // One that does not look at its signal.
      body: () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: async () => ((isLeft = true), { done: true, value: undefined }),
        }),
      }),
    });
    const failed = expect(world.send()).rejects.toMatchObject({ name: 'MortiseError' });
    await settle();
    leave(world);
    await failed;
    await settle();
    expect([world.requests[0]?.signal.aborted, isLeft]).toEqual([true, true]);
    expect(world.lent.clock.pending).toBe(0);
    world.served.close();
  });

  test('is not opened for a page that went away a moment before', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const answers = createAnswers(() => 4_096, createFakeClock());
      const gone = new AbortController();
      const first = deferred<Uint8Array>();
      let stops = 0;
      const body = (async function* () {
        yield await first.promise;
        await new Promise(() => {});
      })();
      const failure = (error: unknown) => error;
      const given = answers.give(
        {},
        { body, stop: () => (stops += 1), failure, signal: gone.signal },
      );
      given.catch(() => {});
      first.resolve(bytes(9_000));
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      gone.abort();
      answers.close();
      await settle();
      expect([turns, stops]).toEqual([turns, 1]);
    }
  });

  test('to a read that is withdrawn is aborted, and its body closed', async () => {
    const { ask, get, lent, inject, nonce, requests, toPanel, served } = createWorld({
      body: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }),
    });
    const giving = get();
    await lent.clock.advance(100);
    await giving;
    const { result } = parsed(toPanel).at(-1) as { result: { more: string } };
    const id = 'r'.repeat(32);
    inject('host', rpc(nonce, { id, method: 'body.read', params: { body: result.more } }));
    await settle();
    inject('host', rpc(nonce, { method: 'cancel', params: { id } }));
    await settle();
    expect(parsed(toPanel).at(-1)).toMatchObject({ id, error: { data: { code: 'aborted' } } });
    expect(requests[0]?.signal.aborted).toBe(true);
    const again = await ask('body.read', { body: result.more });
    expect(again.error?.code).toBe(-32602);
    served.close();
  });

  test('of the 65th makes room: the one that nobody has read from for longest goes', async () => {
    const { ask, get, requests, served } = createWorld({
      body: () => stream(bytes(3_000), bytes(3_000), bytes(3_000)),
      serve: { maxMessageBytes: 4_096 },
    });
    const names: unknown[] = [];
    for (let i = 0; i < 64; i += 1) names.push((await get()).result?.['more']);
    expect((await ask('body.read', { body: names[0] })).result?.['more']).toBe(names[0]);
    await get();
    expect(requests.flatMap(({ signal }, i) => (signal.aborted ? [i] : []))).toEqual([1]);
    expect((await ask('body.read', { body: names[0] })).result).toBeDefined();
    expect((await ask('body.read', { body: names[1] })).error?.code).toBe(-32602);
    served.close();
  });
});

describe('an upload', () => {
  const whole = bytes(600_000);
  const upload = async (world: ReturnType<typeof createWorld>) => {
    const data = Buffer.from(bytes(10)).toString('base64');
    const { result } = await world.ask('body.write', { body: null, data });
    return result?.['body'];
  };
  const isHeld = async (world: ReturnType<typeof createWorld>, body: unknown) =>
    !(await world.ask('body.write', { body, data: '' })).error;
  const params = { method: 'PUT', url: 'https://api.example/', headers: {} };

  test.each([
    ['a method that is none', { ...params, method: 'put it' }],
    ['an address that is none', { ...params, url: 'file:///etc/passwd' }],
    ['headers that are none', { ...params, headers: { a: 7 } }],
    ['a body beside it that is none', { ...params, body: 7 }],
  ])('is used up by a request with %s', async (_, wrong) => {
    const world = createWorld();
    const body = await upload(world);
    expect(await isHeld(world, body)).toBe(true);
    const { error } = await world.ask('http.request', { ...wrong, upload: body });
    expect(error?.code).toBe(-32602);
    expect(await isHeld(world, body)).toBe(false);
    expect(world.requests).toEqual([]);
    world.served.close();
  });

  const refuse = (code: number, data: object) => (world: ReturnType<typeof createWorld>) => {
    const { toHost, inject, nonce } = world;
    return async () => {
      const { id } = parsed(toHost).find(({ method }) => method === 'http.request') ?? {};
      inject('panel', rpc(nonce, { id, error: { code, data } }));
    };
  };
  test.each([
    ['is refused', refuse(-32602, {})],
    ['is turned away', refuse(-32000, { code: 'rate_limited', details: {} })],
    ['is not known', refuse(-32601, {})],
  ])('is freed by the panel when the request %s', async (_, prepare) => {
    // Answered in place of the host, which is still waiting for its server.
    const body = () => ({
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }),
    });
    const world = createWorld({ body });
    const answer = prepare(world);
    const failed = expect(world.send({ method: 'PUT', body: whole })).rejects.toMatchObject({
      name: 'MortiseError',
    });
    await settle();
    await answer();
    await failed;
    await settle();
    expect(world.asked()).toEqual([
      'hello',
      'body.write',
      'body.write',
      'http.request',
      'body.close',
    ]);
    world.served.close();
  });

  test('is freed by a panel that leaves between it and the request', async () => {
    const world = createWorld();
    const body = async function* () {
      yield whole;
      world.controller.abort();
    };
    await expect(world.send({ method: 'PUT', body: body() })).rejects.toMatchObject({
      code: 'aborted',
    });
    await settle();
    expect(world.asked()).toEqual(['hello', 'body.write', 'body.write', 'body.close']);
    const [, written] = parsed(world.toPanel) as { result: { body: string } }[];
    expect(await isHeld(world, written?.result.body)).toBe(false);
    world.served.close();
  });

  test('is freed though 64 requests are under way', async () => {
    const body = () => ({
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }),
    });
    const world = createWorld({ body });
    const name = await upload(world);
    const asking = { method: 'GET', url: 'https://api.example/', headers: {} };
    for (let i = 0; i < 64; i += 1) void world.ask('http.request', asking);
    const { error } = await world.ask('http.request', { ...asking, upload: name });
    expect(error?.data?.code).toBe('rate_limited');
    expect((await world.ask('body.close', { body: name })).result).toEqual({});
    await world.lent.clock.advance(100);
    expect(await isHeld(world, name)).toBe(false);
    world.served.close();
  });
});

describe('messages are as short as both sides want them:', () => {
  const whole = bytes(20_000);
  const longest = (texts: readonly string[]) =>
    Math.max(...texts.map((text) => Buffer.byteLength(text)));

  test.each<[who: string, setting: Setting, limit: number]>([
    ['the panel', { bridge: { maxMessageBytes: 4_096 } }, 4_096],
    ['the host', { serve: { maxMessageBytes: 8_192 } }, 8_192],
    ['both', { bridge: { maxMessageBytes: 9_000 }, serve: { maxMessageBytes: 5_000 } }, 5_000],
  ])('%s has said so', async (_, setting, limit) => {
    const world = createWorld({ ...setting, body: () => stream(whole) });
    const { body } = await world.send({ method: 'PUT', body: whole });
    expect((await gather(body)).equals(whole)).toBe(true);
    expect(Buffer.from(world.requests[0]?.body as Uint8Array).equals(whole)).toBe(true);
    for (const texts of [world.toHost, world.toPanel]) {
      expect(longest(texts)).toBeLessThanOrEqual(limit);
      expect(longest(texts)).toBeGreaterThan(limit / 2);
    }
    world.served.close();
  });

  test('long headers leave less room for the body, on either way', async () => {
    const headers = { link: 'x'.repeat(3_000) };
    const world = createWorld({
      bridge: { maxMessageBytes: 4_096 },
      headers,
      body: () => stream(whole),
    });
    const answer = await world.send({ method: 'PUT', headers, body: bytes(1_000) });
    expect((await gather(answer.body)).equals(whole)).toBe(true);
    expect(Buffer.from(world.requests[0]?.body as Uint8Array).equals(bytes(1_000))).toBe(true);
    expect(longest([...world.toHost, ...world.toPanel])).toBeLessThanOrEqual(4_096);
    world.served.close();
  });

  test('headers that are too long by themselves are an error with a name, and nothing is held', async () => {
    const world = createWorld({
      bridge: { maxMessageBytes: 4_096 },
      headers: { link: 'x'.repeat(5_000) },
      body: () => stream(whole),
    });
    await expect(world.send()).rejects.toMatchObject({ code: 'configuration_error' });
    expect(world.requests[0]?.signal.aborted).toBe(true);
    expect(world.lent.clock.pending).toBe(0);
    world.served.close();
  });

  test.each([4_095, 0, -1, NaN, 5_000.5, (1 << 20) + 1, '8192' as unknown as number])(
    '%p bytes are no limit: an author’s mistake',
    (maxMessageBytes) => {
      const { panel, host, nonce } = createPair();
      const mistake = expect.objectContaining({ code: 'configuration_error' });
      expect(() => openBridge(panel, { nonce, maxMessageBytes })).toThrow(mistake);
      const options = { nonce, offers: [], maxMessageBytes };
      const lent = createFakeHost({ http: async () => Promise.reject(new Error('no')) });
      expect(() => serveHost(lent, host, options)).toThrow(mistake);
    },
  );

  test.each([4_095, 'a lot', null, {}])('hello with %p is refused by the host', async (said) => {
    const { ask, served } = createWorld();
    const { error, result } = await ask('hello', { protocol: 1, maxMessageBytes: said });
    expect(said === null ? result : error).toMatchObject(
      said === null ? { protocol: 1 } : { code: -32602 },
    );
    served.close();
  });

  test('a host that says hello with less than that cannot be spoken to', async () => {
    const pair = createPair();
    const bridge = pair.bridge();
    const failed = expect(
      bridge.request('http', 'http.request', {}, { timeoutMs: 1_000 }),
    ).rejects.toMatchObject({
      details: { problem: 'the host takes no messages of a useful length' },
    });
    const hello = parsed(pair.toHost)[0];
    const result = { protocol: 1, offers: ['http'], maxMessageBytes: 100 };
    pair.inject('panel', rpc(pair.nonce, { id: hello?.['id'], result }));
    await failed;
    bridge.close();
  });
});
