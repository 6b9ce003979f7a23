import { MortiseError } from '../../../src/errors.js';
import type { ApiRequest, ApiResponse } from '../../../src/api/request.js';
import type { ByteStream } from '../../../src/ports/index.js';
import { readAnswer, requestWithBody } from './bodies.js';
import type { Bridge } from './bridge.js';
import { createClosing, type Closing } from './closing.js';
import type { Fields } from '../protocol/fields.js';
import { joinBytes } from '../protocol/join-bytes.js';

/** The host tries again by itself, so its answer may take several tries of a request's own limit. */
const TIMEOUT_MS = 120_000;
/** How long the source of a body may stand still, where the request does not say. */
const STANDSTILL_MS = 30_000;
/** What `json`, `text` and `bytes` hold in memory at most; `stream` has no limit. */
const MAX_BYTES = 32 << 20;

/**
 * `session.api.request`, sent by the host with a token that stays there. `onProgress` is not heard of. Whatever is under
 * way at `closing`, reading a body too, is `aborted`.
 */
export function requestApi(
  bridge: Bridge,
  closing = createClosing(),
): (request: ApiRequest) => Promise<ApiResponse> {
  return async ({
    method,
    path,
    query,
    headers = {},
    json,
    body,
    signal,
    timeoutMs,
    idempotent,
  }) => {
    const text = json === undefined ? body : JSON.stringify(json);
    const type = json === undefined ? {} : { 'content-type': 'application/json' };
    const own = Object.entries(headers).map(
      ([name, value]) => [name.toLowerCase(), value] as const,
    );
    const params = {
      path,
      headers: { ...type, ...Object.fromEntries(own) },
      query: textsOf(query),
      ...(method !== undefined && { method: method.toUpperCase() }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(idempotent !== undefined && { idempotent }),
    };
    const { received, isAborted } = await send(bridge, params, {
      text,
      signal,
      closing,
      timeoutMs,
    });
    const { status, headers: names } = received;
    let isRead = false;
    const read = (): ByteStream => {
      if (isRead) throw new MortiseError('configuration_error', { problem: 'a body is read once' });
      if (isAborted()) throw new MortiseError('aborted', {});
      isRead = true;
      return received.body;
    };
    const bytes = async () => gather(read(), status);
    const decode = async () => new TextDecoder().decode(await bytes());
    return {
      status,
      headers: names,
      bytes,
      text: decode,
      async json<T>() {
        const text = await decode();
        try {
          return JSON.parse(text) as T;
        } catch {
          throw new MortiseError('malformed_response', { problem: 'it is not JSON', status });
        }
      },
      stream: read,
    };
  };
}

interface Sending {
  readonly text: ApiRequest['body'];
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly closing: Closing;
}

async function send(bridge: Bridge, params: Fields, sending: Sending) {
  const { text, timeoutMs, closing } = sending;
  const { signal, free } = closing.join(sending.signal);
  try {
    const answer = await requestWithBody(
      bridge,
      {
        offer: 'session',
        method: 'session.request',
        params,
        body: text,
        standstillMs: timeoutMs ?? STANDSTILL_MS,
      },
      { timeoutMs: Math.max(TIMEOUT_MS, timeoutMs ?? 0), signal },
    );
    const received = readAnswer(bridge, 'session', answer, { signal, onOver: free });
    return { received, isAborted: () => closing.isClosed || sending.signal?.aborted };
  } catch (error) {
    free();
    throw error;
  }
}

/** As the protocol has them: texts and lists of texts. */
function textsOf(query: ApiRequest['query']): Record<string, string | string[]> {
  const isGiven = <T>(value: T | null | undefined): value is T =>
    value !== null && value !== undefined;
  const given = Object.entries(query ?? {}).filter(([, value]) => isGiven(value));
  return Object.fromEntries(
    given.map(([name, value]) => [
      name,
      Array.isArray(value) ? value.filter(isGiven).map(String) : String(value),
    ]),
  );
}

async function gather(body: ByteStream, status: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    if (length > MAX_BYTES) {
      const problem = `the body is longer than ${MAX_BYTES} bytes`;
      throw new MortiseError('malformed_response', { problem, status });
    }
    pieces.push(piece);
  }
  return joinBytes(pieces);
}
