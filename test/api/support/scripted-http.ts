import type { ByteStream, HttpRequest, HttpTransport } from '../../../src/ports/index.js';

/** One request as it went out, its body read to the end. */
export interface SentRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
  readonly atMs: number;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | ByteStream;
}

export type Step =
  | Reply
  /** The connection breaks; the failure quotes what no error of ours may repeat. */
  | 'no answer'
  /** Nothing comes, and the transport does not listen to its signal either. */
  | 'silence'
  | ((request: SentRequest) => Reply | Promise<Reply>);

export interface ScriptedHttp {
  readonly transport: HttpTransport;
  /** Every request, in order. */
  readonly sent: readonly SentRequest[];
}

export async function* bytesOf(...chunks: readonly (string | Uint8Array)[]): ByteStream {
  for (const chunk of chunks) {
    yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
  }
}

/** Some bytes, and then nothing more for ever. */
export async function* stalling(...chunks: readonly string[]): ByteStream {
  yield* bytesOf(...chunks);
  await new Promise(() => {});
}

export async function textOf(body: HttpRequest['body']): Promise<string> {
  if (body === undefined || typeof body === 'string') return body ?? '';
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  let text = '';
  for await (const chunk of body) text += new TextDecoder().decode(chunk);
  return text;
}

/** A network in memory that answers by a script; the last step goes on for ever. */
export function scriptedHttp(script: readonly Step[], nowMs: () => number): ScriptedHttp {
  const sent: SentRequest[] = [];
  return {
    sent,
    async transport({ method, url, headers, body, signal }) {
      const step = script[Math.min(sent.length, script.length - 1)] ?? {};
      const request = { method, url, headers, body: '', signal, atMs: nowMs() };
      sent.push(request);
      request.body = await textOf(body);
      if (step === 'no answer') throw new Error(`no answer to ${JSON.stringify(headers)}`);
      if (step === 'silence') return new Promise(() => {});
      const reply = typeof step === 'function' ? await step(request) : step;
      const { body: answered = '' } = reply;
      return {
        status: reply.status ?? 200,
        headers: new Map(Object.entries(reply.headers ?? {})),
        body:
          typeof answered === 'string' || answered instanceof Uint8Array
            ? bytesOf(answered)
            : answered,
      };
    },
  };
}
