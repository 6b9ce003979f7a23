import { MortiseError } from '../errors.js';
import { isByteStream } from '../http/exchange.js';
import type { ByteStream, HttpRequest } from '../ports/index.js';
import type { ApiRequest, Progress } from './request.js';
import { apiUrl } from './url.js';

/**
 * The request as it goes out, without the token.
 *
 * @throws {MortiseError} `configuration_error`, `api_url_untrusted`.
 */
export function toWire(base: URL, request: ApiRequest): Omit<HttpRequest, 'signal'> {
  const { path, query, json, onProgress } = request;
  const method = (request.method ?? 'GET').toUpperCase();
  const headers: Record<string, string> = {};
  if (json !== undefined) headers['content-type'] = 'application/json';
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    headers[name.toLowerCase()] = value;
  }
  const body = json === undefined ? request.body : toJson(json);
  if (body !== undefined && /^(GET|HEAD)$/.test(method)) {
    throw new MortiseError('configuration_error', { problem: `a ${method} request has no body` });
  }
  const url = apiUrl(base, path, query);
  const watched = body && onProgress ? counted(body, onProgress, headers) : body;
  return { method, url, headers, body: watched };
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    throw new MortiseError('configuration_error', { problem: 'json holds what JSON cannot' });
  }
}

function counted(
  body: NonNullable<HttpRequest['body']>,
  onProgress: (progress: Progress) => void,
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
