import type { ByteStream, HttpRequest, HttpResponse } from '../ports/index.js';
import { textFromBase64 } from './encoding.js';

/** A request as the platforms read it. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: HttpRequest['headers'];
  /** Empty when the body is not a form; see `formProblem`. */
  readonly form: URLSearchParams;
  /** `undefined` when the body is not JSON. */
  readonly json: unknown;
  readonly signal: AbortSignal;
  /** What the groups of the route's path caught. */
  readonly params: readonly string[];
}

/** A response before it is bytes, so that a fault can still bend it. At most one of the three bodies. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
  readonly stream?: ByteStream;
}

export async function readText(body: HttpRequest['body']): Promise<string> {
  if (body === undefined || typeof body === 'string') return body ?? '';
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

const FORM = 'application/x-www-form-urlencoded';

const mediaType = (headers: HttpRequest['headers']): string =>
  headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';

const isForm = (headers: HttpRequest['headers']): boolean => mediaType(headers) === FORM;

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export async function readCall(request: HttpRequest, params: readonly string[]): Promise<Call> {
  const { method, url, headers, signal } = request;
  const isJson = mediaType(headers) === 'application/json';
  const text = isForm(headers) || isJson ? await readText(request.body) : '';
  return {
    method,
    url: new URL(url),
    headers,
    signal,
    params,
    form: new URLSearchParams(isJson ? '' : text),
    json: isJson ? readJson(text) : undefined,
  };
}

/** Why the form cannot be read, by RFC 6749 section 3.2: no form, or a parameter twice. */
export function formProblem(call: Call, names: readonly string[]): string | undefined {
  if (!isForm(call.headers)) return `The request must be sent as ${FORM}.`;
  const twice = names.find((name) => call.form.getAll(name).length > 1);
  return twice && `The parameter ${twice} is given more than once.`;
}

/** Id and secret of an HTTP Basic header as they are; `null` for any other header, or none. */
export function readBasic(call: Call): { id: string; secret: string } | null {
  const encoded = /^Basic +([^ ]+)$/i.exec(call.headers['authorization'] ?? '')?.[1];
  const text = encoded === undefined ? null : textFromBase64(encoded);
  const colon = text?.indexOf(':') ?? -1;
  return text === null || colon < 0
    ? null
    : { id: text.slice(0, colon), secret: text.slice(colon + 1) };
}

/** A refusal in the words of RFC 6749 section 5.2. */
export interface Refused {
  readonly error: string;
  readonly description: string;
}

export function refusal({ error, description }: Refused): Answer {
  const unknownClient = error === 'invalid_client';
  return {
    status: unknownClient ? 401 : 400,
    ...(unknownClient && { headers: { 'www-authenticate': 'Basic realm="sandbox"' } }),
    json: { error, error_description: description },
  };
}

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  if (text) yield new TextEncoder().encode(text);
}

/** A response whose headers can also be listed, for whoever serves it. */
export interface SandboxResponse extends HttpResponse {
  readonly headers: ReadonlyMap<string, string>;
}

export function toResponse(answer: Answer): SandboxResponse {
  const text = answer.text ?? (answer.json === undefined ? '' : JSON.stringify(answer.json));
  const headers = new Map([
    ['cache-control', 'no-store'],
    ...(answer.json === undefined ? [] : [['content-type', 'application/json'] as const]),
    ...Object.entries(answer.headers ?? {}),
  ]);
  return { status: answer.status, headers, body: answer.stream ?? oneChunk(text) };
}
