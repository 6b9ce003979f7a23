import type { ApiRequest, ApiResponse, Progress } from 'mortise';
import { createApiFixture, expectNothingLeft, type ApiFixture } from './support/api-client.js';
import { failureOf, SECRET } from './support/failure.js';
import { bytesOf, stalling, textOf, type Reply } from './support/scripted-http.js';

let api: ApiFixture;
afterEach(() => expectNothingLeft(api));

const respond = (reply: Reply, request: Partial<ApiRequest> = {}): Promise<ApiResponse> => {
  api = createApiFixture([reply]);
  return api.ask(request);
};
const isFreed = () => api.sent[0]!.signal.aborted;

describe('a body that arrives', () => {
  const whole = { body: bytesOf('{"a":', '"é"}') };

  test('is JSON', async () => {
    expect(await (await respond({ body: bytesOf('{"a":', '"é"}') })).json()).toEqual({ a: 'é' });
  });
  test('is text', async () => {
    expect(await (await respond({ body: bytesOf('{"a":', '"é"}') })).text()).toBe('{"a":"é"}');
  });
  test('is bytes', async () => {
    const bytes = await (await respond({ body: bytesOf(new Uint8Array([0, 255]), 'a') })).bytes();
    expect([...bytes]).toEqual([0, 255, 97]);
  });
  test('is a stream, piece by piece', async () => {
    const pieces: string[] = [];
    for await (const piece of (await respond(whole)).stream()) pieces.push(await textOf(piece));
    expect(pieces).toEqual(['{"a":', '"é"}']);
  });

  test('has a status and headers', async () => {
    const { status, headers } = await respond({ status: 201, headers: { etag: '"a"' } });
    expect([status, headers.get('etag'), headers.get('none') ?? null]).toEqual([201, '"a"', null]);
  });

  // prettier-ignore
  test.each<[string, string | Uint8Array]>([
    ['an HTML page',            `<html>${SECRET}</html>`],
    ['nothing',                 ''],
    ['JSON that breaks off',    `{"a":"${SECRET}`],
    ['two documents',           '{}{}'],
    ['text that is not UTF-8',  new Uint8Array([34, 255, 34])],
  ])('case 166: %s where JSON was meant is malformed_response', async (_, body) => {
    const error = await failureOf((await respond({ body })).json());
    expect(error).toMatchObject({ code: 'malformed_response', details: { status: 200 } });
  });

  test('case 166: JSON may begin with a byte order mark', async () => {
    expect(await (await respond({ body: '\uFEFF{"a":1}' })).json()).toEqual({ a: 1 });
  });

  const MiB = new Uint8Array(1 << 20);
  async function* mebibytes(count: number, extra = 0) {
    for (let sent = 0; sent < count; sent += 1) yield MiB;
    if (extra) yield new Uint8Array(extra);
  }

  test.each(['bytes', 'text', 'json'] as const)(
    'case 166: %s holds 32 MiB at the most, and the socket of more is freed',
    async (how) => {
      const error = await failureOf((await respond({ body: mebibytes(100) }))[how]());
      expect(error.code).toBe('malformed_response');
      expect(isFreed()).toBe(true);
    },
  );

  test('case 166: 32 MiB are not too much, and a byte more is', async () => {
    expect((await (await respond({ body: mebibytes(32) })).bytes()).length).toBe(32 << 20);
    await failureOf((await respond({ body: mebibytes(32, 1) })).bytes());
  });

  test('case 166: a stream has no end to its length', async () => {
    let length = 0;
    for await (const piece of (await respond({ body: mebibytes(100) })).stream()) {
      length += piece.length;
    }
    expect(length).toBe(100 << 20);
  });

  test('case 166: a connection that breaks within is network_error', async () => {
    async function* broken() {
      yield* bytesOf('[1,');
      throw new Error(`reset while reading ${SECRET}`);
    }
    expect((await failureOf((await respond({ body: broken() })).json())).code).toBe(
      'network_error',
    );
    const { stream } = await respond({ body: broken() });
    expect((await failureOf(textOf(stream()))).code).toBe('network_error');
  });

  test('leaving a stream early frees the socket', async () => {
    for await (const piece of (await respond({ body: mebibytes(100) })).stream()) {
      expect(piece.length).toBe(1 << 20);
      break;
    }
    expect(isFreed()).toBe(true);
  });
});

describe('every wait for bytes ends', () => {
  test('case 166: a body that never comes to its end is a timeout', async () => {
    const response = await respond({ body: stalling('a') }, { timeoutMs: 5_000 });
    const from = api.clock.monotonicMs();
    const error = await failureOf(api.over(response.text()));
    expect(error).toMatchObject({
      code: 'timeout',
      details: { host: 'api.example', timeoutMs: 5_000 },
    });
    expect(api.clock.monotonicMs() - from).toBeLessThanOrEqual(6_000);
    expect(isFreed()).toBe(true);
  });

  /** A body of which each piece takes its time. */
  async function* slow(pieces: number, everyMs: number) {
    for (let sent = 0; sent < pieces; sent += 1) {
      await new Promise<void>((go) => api.clock.after(everyMs, go));
      yield* bytesOf('a');
    }
  }

  test('case 166: a slow drip ends text at the limit, while a stream goes on as long as it moves', async () => {
    let response = await respond({ body: slow(20, 4_000) }, { timeoutMs: 5_000 });
    expect((await failureOf(api.over(response.text()))).code).toBe('timeout');
    await api.clock.advance(100_000); // The rest of a body that nobody reads any more.
    response = await respond({ body: slow(20, 4_000) }, { timeoutMs: 5_000 });
    expect(await api.over(textOf(response.stream()))).toHaveLength(20);
  });

  test('a stream that stands still is a timeout', async () => {
    const { stream } = await respond({ body: stalling('a', 'b') }, { timeoutMs: 5_000 });
    expect((await failureOf(api.over(textOf(stream())))).code).toBe('timeout');
    expect(isFreed()).toBe(true);
  });

  test('a reader who takes long between two pieces is not hurried', async () => {
    const pieces = (await respond({ body: bytesOf('a', 'b') })).stream()[Symbol.asyncIterator]();
    await pieces.next();
    await api.clock.advance(600_000);
    expect(await textOf((await pieces.next()).value as Uint8Array)).toBe('b');
    expect((await pieces.next()).done).toBe(true);
  });
});

describe('onProgress', () => {
  const hear = async (reply: Reply, request: Partial<ApiRequest>) => {
    const heard: Progress[] = [];
    const response = await respond(reply, { ...request, onProgress: (p) => void heard.push(p) });
    await response.bytes();
    return heard;
  };
  const told = (direction: Progress['direction'], totalBytes: number | null, ...steps: number[]) =>
    steps.map((transferredBytes) => ({ direction, transferredBytes, totalBytes }));
  const seven = () => bytesOf('abc', 'defg');

  // prettier-ignore
  test.each<[string, () => Reply, () => Partial<ApiRequest>, Progress[]]>([
    ['a download of known length',    () => ({ body: seven(), headers: { 'content-length': '7' } }), () => ({}),      told('download', 7, 3, 7)],
    ['a download of unknown length',  () => ({ body: seven() }),                                     () => ({}),      told('download', null, 3, 7)],
    ['a length that is no number',    () => ({ body: seven(), headers: { 'content-length': '-7' } }), () => ({}),     told('download', null, 3, 7)],
    ['a length before decoding',      () => ({ body: seven(), headers: { 'content-length': '5', 'content-encoding': 'gzip' } }), () => ({}), told('download', null, 3, 7)],
    ['an upload of a stream',         () => ({ body: 'ok' }), () => ({ method: 'PUT', body: seven() }),               told('upload', null, 3, 7)],
    ['an upload of known length',     () => ({ body: 'ok' }), () => ({ method: 'PUT', body: seven(), headers: { 'Content-Length': '7' } }), told('upload', 7, 3, 7)],
    ['an upload of text',             () => ({ body: 'ok' }), () => ({ method: 'PUT', body: 'é' }),                   told('upload', 2, 2)],
    ['an upload of bytes',            () => ({ body: 'ok' }), () => ({ method: 'PUT', body: new Uint8Array(4) }),     told('upload', 4, 4)],
    ['an upload of json',             () => ({ body: 'ok' }), () => ({ method: 'POST', json: [1] }),                  told('upload', 3, 3)],
  ])('hears of %s', async (_, reply, request, expected) => {
    expect(await hear(reply(), request())).toEqual(expected);
  });

  test('hears of a streamed download too', async () => {
    const heard: number[] = [];
    const { stream } = await respond(
      { body: seven() },
      { onProgress: ({ transferredBytes }) => void heard.push(transferredBytes) },
    );
    expect(await textOf(stream())).toBe('abcdefg');
    expect(heard).toEqual([3, 7]);
  });
});
