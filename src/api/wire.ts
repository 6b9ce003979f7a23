import { MortiseError } from '../errors.js';
import { isByteStream } from '../http/exchange.js';
import { quietly } from '../http/quietly.js';
import type { ByteStream, HttpRequest } from '../ports/index.js';
import type { ApiRequest, Progress } from './request.js';
import { apiUrl } from './url.js';

/** RFC 9110 sections 5.6.2 and 5.5: what a method and a header may be made of. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * The request as it goes out, without the token.
 *
 * @throws {MortiseError} `configuration_error`, `api_url_untrusted`.
 */
export function toWire(base: URL, request: ApiRequest): Omit<HttpRequest, 'signal'> {
  const { path, query, json } = request;
  const check = (holds: boolean, problem: string) => {
    if (!holds) throw new MortiseError('configuration_error', { problem });
  };
  check(typeof path === 'string', 'path must be text');
  const body = json === undefined ? (request.body ?? undefined) : toJson(json);
  const method = (request.method ?? 'GET').toUpperCase();
  check(TOKEN.test(method) && !/^(CONNECT|TRACE|TRACK)$/.test(method), 'method cannot be sent');
  check(body === undefined || !/^(GET|HEAD)$/.test(method), `a ${method} request has no body`);
  const headers: Record<string, string> = {};
  if (json !== undefined) headers['content-type'] = 'application/json';
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    check(TOKEN.test(name) && FIELD_VALUE.test(value), 'a header cannot be sent');
    headers[name.toLowerCase()] = value;
  }
  const url = apiUrl(base, path, query);
  const onProgress = request.onProgress && quietly(request.onProgress);
  const watched = body && onProgress ? counted(body, onProgress, headers) : body;
  return { method, url, headers, body: watched };
}

type OnProgress = (progress: Progress) => void;

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    throw new MortiseError('configuration_error', { problem: 'json cannot be encoded' });
  }
}

function counted(
  body: NonNullable<HttpRequest['body']>,
  onProgress: OnProgress,
  headers: Readonly<Record<string, string>>,
): HttpRequest['body'] {
  if (isByteStream(body)) {
    return countBytes(body, 'upload', readLength(headers['content-length']), onProgress);
  }
  // Handed over in one piece: there is nothing to watch, so the end is told when it is handed over.
  const { length } = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  onProgress({ direction: 'upload', transferredBytes: length, totalBytes: length });
  return body;
}

/** Passes bytes on and tells how many there were. */
export async function* countBytes(
  body: ByteStream,
  direction: Progress['direction'],
  totalBytes: number | null,
  onProgress: (progress: Progress) => void,
): ByteStream {
  let transferredBytes = 0;
  for await (const chunk of body) {
    transferredBytes += chunk.length;
    onProgress({ direction, transferredBytes, totalBytes });
    yield chunk;
  }
}

/** A `content-length`, or `null`. */
export const readLength = (value: string | null | undefined): number | null =>
  value && /^\d+$/.test(value) ? Number(value) : null;
