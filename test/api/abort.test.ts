import { getEventListeners } from 'node:events';
import type { ApiRequest, ApiResponse } from 'mortise';
import { abortable } from '../../src/http/guard.js';
import { settle } from '../support/fake-clock.js';
import {
  BASE,
  createApiFixture,
  expectNothingLeft,
  type ApiFixture,
} from './support/api-client.js';
import { failureOf } from './support/failure.js';
import { bytesOf, stalling, textOf, type Step } from './support/scripted-http.js';

let api: ApiFixture;
let leaving: AbortController;
beforeEach(() => (leaving = new AbortController()));
afterEach(() => {
  expectNothingLeft(api);
  expect(getEventListeners(leaving.signal, 'abort')).toEqual([]);
});

const whileReading =
  (how: 'json' | 'text' | 'bytes') =>
  async (response: Promise<ApiResponse>): Promise<unknown> =>
    (await response)[how]();

interface Moment {
  readonly during: string;
  readonly script: readonly Step[];
  readonly request?: () => Partial<ApiRequest>;
  readonly base?: () => Promise<string>;
  readonly renew?: (refused: string, signal: AbortSignal | undefined) => Promise<string>;
  readonly read?: (response: Promise<ApiResponse>) => Promise<unknown>;
  /** Requests that have gone out by then. */
  readonly sent: number;
}

const never = () => new Promise<never>(() => {});

const WAITING: Moment = { during: 'waiting for an answer', script: ['silence'], sent: 1 };
const MOMENTS: readonly Moment[] = [
  WAITING,
  { during: 'a pause before the next try', script: [{ status: 500 }], sent: 1 },
  {
    during: 'a pause the server asked for',
    script: [{ status: 429, headers: { 'retry-after': '60' } }],
    sent: 1,
  },
  { during: 'waiting for the second try', script: [{ status: 401 }, 'silence'], sent: 2 },
  {
    during: 'sending a body that stands still',
    script: [{}],
    request: () => ({ method: 'PUT', body: stalling('a') }),
    sent: 1,
  },
  ...(['json', 'text', 'bytes'] as const).map((how) => ({
    during: `reading ${how}`,
    script: [() => ({ body: stalling('[') })],
    read: whileReading(how),
    sent: 1,
  })),
  {
    during: 'reading a stream',
    script: [() => ({ body: stalling('[') })],
    read: async (response) => textOf((await response).stream()),
    sent: 1,
  },
];

function begin({ script, request, base, renew, read = (it) => it }: Moment) {
  api = createApiFixture(script, { ...(base && { base }), ...(renew && { renew }) });
  return failureOf(read(api.start({ ...request?.(), signal: leaving.signal })));
}

/** Up to the moment itself; the failure is in a record, so that nobody waits for it yet. */
async function start(moment: Moment) {
  const failure = begin(moment);
  await settle();
  expect(api.sent).toHaveLength(moment.sent);
  return { failure };
}

describe('case 167: a caller who leaves', () => {
  test.each(MOMENTS)('$during is told at once, and the socket is free', async (moment) => {
    const { failure } = await start(moment);
    leaving.abort();
    expect((await failure).code).toBe('aborted');
    expect(api.sent.at(-1)!.signal.aborted).toBe(true);
    await api.clock.advance(120_000);
    expect(api.sent).toHaveLength(moment.sent);
  });

  test('waiting for the API base is told at once, and nothing is sent', async () => {
    let haveBase = (_: string) => {};
    const base = () => new Promise<string>((resolve) => (haveBase = resolve));
    const { failure } = await start({ during: '', script: [{}], base, sent: 0 });
    leaving.abort();
    expect((await failure).code).toBe('aborted');
    haveBase(BASE);
    await settle();
    expect(api.sent).toEqual([]);
  });

  test('waiting for a renewal is told at once, and there is no second try', async () => {
    let renewed = (_: string) => {};
    const renewal = new Promise<string>((resolve) => (renewed = resolve));
    const renew = (_: string, signal: AbortSignal | undefined) => abortable(renewal, signal);
    const { failure } = await start({ during: '', script: [{ status: 401 }], renew, sent: 1 });
    leaving.abort();
    expect((await failure).code).toBe('aborted');
    renewed('for those who stayed');
    await api.clock.advance(120_000);
    expect(api.sent).toHaveLength(1);
  });

  test('before it begins sends nothing', async () => {
    leaving.abort();
    expect((await begin(WAITING)).code).toBe('aborted');
    expect(api.sent.filter(({ signal }) => !signal.aborted)).toEqual([]);
  });

  test('takes nobody along who asked for the same', async () => {
    api = createApiFixture([() => never(), { body: '[]' }]);
    const mine = failureOf(api.start({ signal: leaving.signal }));
    const other = api.ask();
    await settle();
    leaving.abort();
    expect((await mine).code).toBe('aborted');
    expect(await (await other).json()).toEqual([]);
  });

  test('after the end changes nothing', async () => {
    api = createApiFixture([{ body: '[1]' }]);
    const response = await api.ask({ signal: leaving.signal });
    expect(await response.json()).toEqual([1]);
    leaving.abort();
    await settle();
  });
});

describe('a session that closes', () => {
  test.each(MOMENTS)('$during is told at once, and the socket is free', async (moment) => {
    const { failure } = await start(moment);
    api.close();
    expect((await failure).code).toBe('aborted');
    expect(api.sent.at(-1)!.signal.aborted).toBe(true);
    await api.clock.advance(120_000);
    expect(api.sent).toHaveLength(moment.sent);
  });

  test('before a request begins lets nothing out', async () => {
    api = createApiFixture([{}]);
    api.close();
    expect((await failureOf(api.ask())).code).toBe('aborted');
    expect(api.sent.filter(({ signal }) => !signal.aborted)).toEqual([]);
  });

  test('between the answer and its body', async () => {
    api = createApiFixture([{ body: '[]' }]);
    const response = await api.ask();
    api.close();
    expect((await failureOf(response.json())).code).toBe('aborted');
  });
});

describe('a time limit', () => {
  test.each([
    ['30 s unless said otherwise', undefined, 30_000],
    ['what the caller says', 1_500, 1_500],
  ])('is %s', async (_, timeoutMs, expectedMs) => {
    api = createApiFixture(['silence']);
    const failure = failureOf(api.start(timeoutMs === undefined ? {} : { timeoutMs }));
    let isOver = false;
    void failure.then(() => (isOver = true));
    await api.clock.advance(expectedMs - 1);
    expect(isOver).toBe(false);
    await api.clock.advance(1);
    expect(await failure).toMatchObject({
      code: 'timeout',
      details: { host: 'api.example', timeoutMs: expectedMs },
      retryable: true,
    });
    expect(api.sent[0]!.signal.aborted).toBe(true);
  });

  test('is each try’s own', async () => {
    api = createApiFixture([{ status: 500 }, 'silence']);
    expect((await failureOf(api.ask({ timeoutMs: 2_000 }))).code).toBe('timeout');
    expect(api.sent).toHaveLength(2);
  });

  test('begins again with every piece of a body that is sent', async () => {
    async function* slowly() {
      for (const piece of 'abcdefghij') {
        await new Promise<void>((go) => api.clock.after(4_000, go));
        yield* bytesOf(piece);
      }
    }
    api = createApiFixture([{ body: 'ok' }]);
    await api.ask({ method: 'PUT', body: slowly(), timeoutMs: 5_000 });
    expect(api.sent[0]!.body).toBe('abcdefghij');
    expect(api.clock.monotonicMs()).toBeGreaterThanOrEqual(40_000);
  });

  test('ends a body that stands still', async () => {
    api = createApiFixture([{}]);
    const request = { method: 'PUT', body: stalling('a'), timeoutMs: 5_000 };
    expect((await failureOf(api.ask(request))).code).toBe('timeout');
  });

  test('an answer that comes too late changes nothing', async () => {
    let answer = (_: { body: string }) => {};
    api = createApiFixture([() => new Promise<{ body: string }>((resolve) => (answer = resolve))]);
    expect((await failureOf(api.ask({ method: 'POST' }))).code).toBe('timeout');
    answer({ body: '[]' });
    await settle();
    expect(api.sent).toHaveLength(1);
  });
});
