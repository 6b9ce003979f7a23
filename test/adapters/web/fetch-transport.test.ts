import { fetchTransport } from '../../../adapters/web/fetch-transport.js';
import { describeHttpTransport, get, readText } from '../../support/http-transport-contract.js';

describeHttpTransport('web fetchTransport', () => fetchTransport());

/** Stands in for a browser, of which Node's `fetch` shows too little. */
function recordingFetch(answer: () => Response = () => new Response('ok')) {
  const calls: RequestInit[] = [];
  const fetch: typeof globalThis.fetch = async (_, init = {}) => {
    calls.push(init);
    return answer();
  };
  return { calls, fetch };
}

describe('web fetchTransport', () => {
  test('case 75: no cookies, no cache, no referrer, no redirect; the signal as it is', async () => {
    const { calls, fetch } = recordingFetch();
    const { signal } = new AbortController();
    await fetchTransport({ fetch })(get('https://platform.example/token', { signal }));
    expect(calls[0]).toMatchObject({
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
      redirect: 'manual',
    });
    expect(calls[0]?.signal).toBe(signal);
  });

  test('a redirect that a browser hides is a failure, not an answer', async () => {
    const opaque = { status: 0, type: 'opaqueredirect', headers: new Headers(), body: null };
    const hidden = async () => opaque as Response;
    for (const answer of [hidden, async () => Response.error()]) {
      const http = fetchTransport({ fetch: answer });
      await expect(http(get('https://platform.example/a?code=secret'))).rejects.toMatchObject({
        code: 'network_error',
        details: { host: 'platform.example' },
        retryable: false,
      });
    }
  });

  test('the length of what another origin has compressed is not believed: the body is read to its end', async () => {
    // What Chromium shows of it: the length on the wire, and not that it was compressed.
    const body = new ReadableStream({
      start(controller) {
        for (const piece of ['a'.repeat(50), 'b'.repeat(50)]) {
          controller.enqueue(new TextEncoder().encode(piece));
        }
        controller.close();
      },
    });
    const answer = new Response(body, { headers: { 'content-length': '40' } });
    Object.defineProperty(answer, 'type', { value: 'cors' });
    const { body: read } = await fetchTransport({ fetch: async () => answer })(
      get('https://platform.example/'),
    );
    expect(await readText(read)).toHaveLength(100);
  });

  test('the runtime’s fetch is looked up at each request, and called on nothing', async () => {
    const http = fetchTransport();
    const original = globalThis.fetch;
    try {
      globalThis.fetch = async function (this: unknown) {
        return new Response(`this is ${this}`);
      };
      const { body } = await http(get('https://platform.example/'));
      expect(await readText(body)).toBe('this is undefined');
    } finally {
      globalThis.fetch = original;
    }
  });

  test('a streaming upload is gathered, since most browsers cannot stream it', async () => {
    const { calls, fetch } = recordingFetch();
    const body = (async function* () {
      yield new Uint8Array([1, 2]);
      yield new Uint8Array([3]);
    })();
    await fetchTransport({ fetch })(get('https://a.example/', { method: 'PUT', body }));
    expect(calls[0]?.body).toEqual(new Uint8Array([1, 2, 3]));
  });

  test('case 101: an aborted upload is not gathered to its end', async () => {
    const controller = new AbortController();
    let pieces = 0;
    let left = false;
    const body = (async function* () {
      try {
        for (;;) {
          pieces += 1;
          if (pieces === 3) controller.abort();
          yield new Uint8Array(1);
        }
      } finally {
        left = true;
      }
    })();
    const { signal } = controller;
    const upload = fetchTransport()(get('http://127.0.0.1:9/', { method: 'PUT', body, signal }));
    await expect(upload).rejects.toMatchObject({ name: 'AbortError' });
    expect([pieces, left]).toEqual([3, true]);
  });

  test('a body left unread costs nothing, and one that fails twice is quiet', async () => {
    let cancelled = 0;
    const failing = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(1)),
      cancel: () => {
        cancelled += 1;
        throw new Error('already gone');
      },
    });
    const { fetch } = recordingFetch(() => new Response(failing));
    const { body } = await fetchTransport({ fetch })(get('https://a.example/'));
    for await (const piece of body) if (piece) break;
    expect(cancelled).toBe(1);
  });
});
