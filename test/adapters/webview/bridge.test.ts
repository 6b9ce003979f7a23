import fc from 'fast-check';
import { openBridge } from '../../../adapters/webview/index.js';
import { readMessage } from '../../../adapters/webview/protocol/message.js';
import { MortiseError } from '../../../src/errors.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { createPair, parsed, rpc, type Pair } from './panel-pair.js';

const ASK = { timeoutMs: 1_000 };

/** A bridge whose host is the test: it has said hello. */
async function setUp() {
  const pair = createPair();
  const clock = createFakeClock();
  const bridge = pair.bridge({ clock });
  const asked = (method: string) => parsed(pair.toHost).filter((each) => each['method'] === method);
  const answer = (id: unknown, result: object) =>
    pair.inject('panel', rpc(pair.nonce, { id, result }));
  const greet = () =>
    answer(asked('hello').at(-1)?.['id'], { protocol: 1, name: 'test', offers: ['store'] });
  const get = async (key = 'k') => {
    const result = bridge.request('store', 'store.get', { key }, ASK);
    result.catch(() => {});
    await settle();
    if (asked('hello').length === 1 && asked('store.get').length === 0) greet();
    await settle();
    return { result, id: asked('store.get').at(-1)?.['id'] as string };
  };
  return { pair, clock, bridge, asked, answer, greet, get };
}

const outcome = (promise: Promise<unknown>) =>
  Promise.race([promise.catch((error: unknown) => error), settle().then(() => 'pending')]);

test('asks hello once, and then what is wanted, under ids that nobody guesses', async () => {
  const { get, answer, asked } = await setUp();
  const ids = new Set<string>();
  for (let i = 0; i < 20; i += 1) {
    const { result, id } = await get();
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    ids.add(id);
    answer(id, { value: 'v' });
    await expect(result).resolves.toEqual({ value: 'v' });
  }
  expect(ids.size).toBe(20);
  expect(asked('hello')).toHaveLength(1);
});

test('what the host does not offer is not asked for, and is named', async () => {
  const { bridge, asked, get } = await setUp();
  await get();
  const error = await outcome(bridge.request('view', 'visit.open', {}, ASK));
  expect(error).toMatchObject({ code: 'bridge_unavailable' });
  expect(String(error)).toContain('does not offer view');
  expect(asked('visit.open')).toEqual([]);
});

test('case 90: a host that never answers ends in bridge_unavailable, and is told', async () => {
  const { clock, get, asked, bridge } = await setUp();
  const { result, id } = await get();
  await clock.advance(999);
  expect(await outcome(result)).toBe('pending');
  await clock.advance(1);
  expect(await outcome(result)).toMatchObject({ code: 'bridge_unavailable' });
  expect(asked('cancel')).toMatchObject([{ params: { id } }]);
  expect(clock.pending).toBe(0);
  expect(bridge.dropped).toBe(0);
});

test('case 90: a host that says nothing at all is bridge_unavailable within ten seconds, and may come later', async () => {
  const { clock, bridge, greet, answer, asked } = await setUp();
  const first = bridge.request('store', 'store.get', { key: 'k' }, ASK);
  first.catch(() => {});
  await clock.advance(10_000);
  expect(await outcome(first)).toMatchObject({ code: 'bridge_unavailable' });
  const second = bridge.request('store', 'store.get', { key: 'k' }, ASK);
  await settle();
  greet();
  await settle();
  answer(asked('store.get')[0]?.['id'], { value: null });
  await expect(second).resolves.toEqual({ value: null });
});

test('case 90: a view that is disposed of, a channel that throws, a bridge that is closed: told at once', async () => {
  const { pair, get, bridge, clock } = await setUp();
  const { result } = await get();
  pair.inject('panel', rpc(pair.nonce, { method: 'bye', params: {} }));
  expect(await outcome(result)).toMatchObject({ code: 'bridge_unavailable' });
  const broken = openBridge(
    {
      send: () => {
        throw new Error('disposed');
      },
      onMessage: () => () => {},
    },
    { nonce: pair.nonce },
  );
  expect(await outcome(broken.request('store', 'x', {}, ASK))).toMatchObject({
    code: 'bridge_unavailable',
  });
  bridge.close();
  expect(await outcome(bridge.request('store', 'x', {}, ASK))).toMatchObject({
    code: 'bridge_unavailable',
  });
  expect(clock.pending).toBe(0);
});

test('an abort settles at once and withdraws the request; one that came before asks nothing', async () => {
  const { bridge, asked, get, clock } = await setUp();
  await get();
  const controller = new AbortController();
  const ask = { timeoutMs: 1_000, signal: controller.signal };
  const waiting = bridge.request('store', 'store.set', {}, ask);
  await settle();
  controller.abort();
  expect(await outcome(waiting)).toMatchObject({ code: 'aborted' });
  expect(asked('cancel')).toMatchObject([{ params: { id: asked('store.set')[0]?.['id'] } }]);
  expect(await outcome(bridge.request('store', 'store.set', {}, ask))).toMatchObject({
    code: 'aborted',
  });
  expect(asked('store.set')).toHaveLength(1);
  expect(clock.pending).toBe(1); // the get
});

describe('case 88: dropped and counted, without a throw:', () => {
  const late = async ({ get, answer, clock }: Awaited<ReturnType<typeof setUp>>) => {
    const { id } = await get();
    await clock.advance(1_000);
    answer(id, { value: 'late' });
  };
  const repeated = async ({ get, answer }: Awaited<ReturnType<typeof setUp>>) => {
    const { id, result } = await get();
    answer(id, { value: 'one' });
    answer(id, { value: 'two' });
    expect(await result).toEqual({ value: 'one' });
  };
  const said =
    (make: (pair: Pair, id: string) => unknown) =>
    async ({ pair, get }: Awaited<ReturnType<typeof setUp>>) => {
      const { id, result } = await get();
      pair.inject('panel', make(pair, id));
      expect(await outcome(result)).toBe('pending');
    };
  test.each([
    ['a late answer', late],
    ['a second answer', repeated],
    ['an answer to nothing', said(({ nonce }) => rpc(nonce, { id: 'x', result: {} }))],
    ['no JSON', said(() => '{"jsonrpc":')],
    ['an array', said(({ nonce }, id) => [rpc(nonce, { id, result: {} })])],
    ['a number', said(() => '7')],
    ['null', said(() => 'null')],
    ['case 86: no nonce', said((_, id) => ({ jsonrpc: '2.0', id, result: { value: 'evil' } }))],
    ['case 86: another nonce', said((_, id) => rpc('x'.repeat(32), { id, result: {} }))],
    ['case 86: half the nonce', said(({ nonce }, id) => rpc(nonce.slice(1), { id, result: {} }))],
    [
      'a nonce in a prototype',
      said(
        ({ nonce }, id) =>
          `{"__proto__":{"jsonrpc":"2.0","nonce":"${nonce}"},"id":"${id}","result":{"value":"evil"}}`,
      ),
    ],
    [
      'another protocol',
      said(({ nonce }, id) => ({ ...rpc(nonce, { id, result: {} }), jsonrpc: '1.0' })),
    ],
    ['a result that is no object', said(({ nonce }, id) => rpc(nonce, { id, result: 'text' }))],
    ['neither result nor error', said(({ nonce }, id) => rpc(nonce, { id }))],
    ['an id that is a number', said(({ nonce }) => rpc(nonce, { id: 1, result: {} }))],
    [
      'an unknown notification',
      said(({ nonce }) => rpc(nonce, { method: 'constructor', params: {} })),
    ],
    ['a request', said(({ nonce }) => rpc(nonce, { id: 'x', method: 'tokens', params: {} }))],
    ['50 MB', said(({ nonce }, id) => rpc(nonce, { id, result: { value: 'x'.repeat(50 << 20) } }))],
    [
      'a little too long in UTF-8',
      said(({ nonce }, id) => rpc(nonce, { id, result: { value: '\u20ac'.repeat(350_000) } })),
    ],
  ])('%s', async (_, speak) => {
    const world = await setUp();
    await speak(world);
    expect(world.bridge.dropped).toBe(1);
  });
});

test('case 88: answers may come in any order', async () => {
  const { get, answer } = await setUp();
  const one = await get('one');
  const two = await get('two');
  answer(two.id, { value: '2' });
  answer(one.id, { value: '1' });
  expect(await Promise.all([one.result, two.result])).toEqual([{ value: '1' }, { value: '2' }]);
});

test('case 88: whatever is said, nothing is thrown and nothing is answered by it', async () => {
  const { pair, bridge, get } = await setUp();
  const { result, id } = await get();
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(id, '2.0', 'bye2', '__proto__'));
  const message = fc.record(
    {
      jsonrpc: fc.constant('2.0'),
      nonce: fc.constant(pair.nonce),
      id: value,
      method: value,
      result: fc.string(),
      error: fc.string(),
      params: value,
    },
    { requiredKeys: ['jsonrpc'] },
  );
  fc.assert(
    fc.property(fc.oneof(message, fc.jsonValue(), fc.string()), (said) => {
      const before = bridge.dropped;
      pair.inject('panel', said);
      expect(bridge.dropped).toBe(before + 1);
    }),
  );
  expect(await outcome(result)).toBe('pending');
  expect(Object.prototype).not.toHaveProperty('value');
});

test('case 88: what is too long to send is refused with a clear error, and nothing waits', async () => {
  const { bridge, get, clock } = await setUp();
  await get();
  const pending = clock.pending;
  const error = await outcome(
    bridge.request('store', 'store.set', { value: 'x'.repeat(1 << 20) }, ASK),
  );
  expect(error).toMatchObject({ code: 'configuration_error' });
  expect(String(error)).toContain('1048576 bytes');
  expect(clock.pending).toBe(pending);
});

describe('a failure of the host', () => {
  test.each([
    [
      { code: -32000, data: { code: 'store_unavailable', details: { problem: 'locked' } } },
      { code: 'store_unavailable', details: { problem: 'locked' } },
    ],
    [
      { code: -32000, data: { code: 'sign_in_required', details: { reason: 'rejected' } } },
      { code: 'sign_in_required', details: { reason: 'rejected' } },
    ],
    [
      { code: -32000, data: { code: 'sign_in_required', details: { reason: '<b>' } } },
      { details: { reason: 'signedOut' } },
    ],
    [
      {
        code: -32000,
        data: { code: 'network_error', details: { host: 'as.example', body: 'secret' } },
      },
      { details: { host: 'as.example' } },
    ],
    [
      {
        code: -32000,
        data: { code: 'http_error', details: { status: 418, error: 'tea\u0000pot' } },
      },
      { details: { status: 418, error: 'tea pot' } },
    ],
    [
      { code: -32000, data: { code: 'aborted', details: null } },
      { code: 'aborted', details: {} },
    ],
    [{ code: -32000, data: { code: 'made_up' } }, { code: 'bridge_unavailable' }],
    [{ code: -32000, data: { code: 'constructor' } }, { code: 'bridge_unavailable' }],
    [{ code: -32000, data: { code: '__proto__' } }, { code: 'bridge_unavailable' }],
    [{ code: -32601, message: 'no such' }, { code: 'bridge_unavailable' }],
    [{}, { code: 'bridge_unavailable' }],
  ])('%j is a MortiseError with nothing strange in it', async (error, expected) => {
    const { pair, get } = await setUp();
    const { result, id } = await get();
    pair.inject('panel', rpc(pair.nonce, { id, error }));
    const thrown = await outcome(result);
    expect(thrown).toBeInstanceOf(MortiseError);
    expect(thrown).toMatchObject(expected);
    expect(JSON.stringify(thrown)).not.toContain('secret');
  });
});

describe('the nonce is found', () => {
  const page = globalThis as Record<string, unknown>;
  afterEach(() => {
    for (const name of ['mortiseNonce', 'document', 'location']) delete page[name];
  });
  const nonce = 'a1'.repeat(12);
  test.each([
    ['by script', { mortiseNonce: nonce }],
    ['in the HTML', { document: { querySelector: () => ({ getAttribute: () => nonce }) } }],
    ['in the fragment', { location: { hash: `#mortise-nonce=${nonce}` } }],
    ['in a fragment with more', { location: { hash: `#tab=2&mortise-nonce=${nonce}` } }],
  ])('%s', async (_, globals) => {
    Object.assign(page, globals);
    const { panel, toHost } = createPair();
    const bridge = openBridge(panel);
    bridge.request('store', 'store.get', {}, ASK).catch(() => {});
    await settle();
    expect(parsed(toHost)[0]).toMatchObject({ nonce, method: 'hello' });
    bridge.close();
  });

  test.each([
    ['nowhere', {}],
    ['too short', { mortiseNonce: 'short' }],
    ['no text', { mortiseNonce: 7 }],
  ])('case 86: and where it is %s, nothing is sent or heard', async (_, globals) => {
    Object.assign(page, globals);
    const pair = createPair();
    const bridge = openBridge(pair.panel);
    const error = await outcome(bridge.request('store', 'store.get', {}, ASK));
    expect(error).toMatchObject({ code: 'bridge_unavailable' });
    expect(pair.toHost).toEqual([]);
    pair.inject('panel', rpc('undefined', { id: 'x', result: {} }));
    expect(bridge.dropped).toBe(1);
  });
});

test('case 88: what an object inherits is nothing it said', () => {
  const prototype = Object.prototype as unknown as Record<string, unknown>;
  prototype['nonce'] = 'x'.repeat(32);
  try {
    const forged = JSON.stringify({ jsonrpc: '2.0', id: 'x', result: {} });
    expect(readMessage(forged, 'x'.repeat(32))).toBeNull();
  } finally {
    delete prototype['nonce'];
  }
  expect(readMessage('{"jsonrpc":"2.0","nonce":"n","id":"x","result":{}}', 'n')).not.toBeNull();
});
