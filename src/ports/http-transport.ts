/** A body that is read, or written, piece by piece. */
export type ByteStream = AsyncIterable<Uint8Array>;

export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  /** Absolute, https (or http on loopback); checked before it gets here. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | ByteStream | undefined;
  /** Aborting frees the socket, also while the response body is being read. */
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Asked with lower-case names only, so a `Headers` object and a `Map` both fit. */
  readonly headers: { get(name: string): string | null | undefined };
  /** Decoded bytes (after gzip and the like). Read at most once; may be left unread. */
  readonly body: ByteStream;
}

/**
 * Sends one request and resolves when the response headers are there.
 *
 * Adds no credentials (cookies, cached passwords), keeps no copy, and never follows a redirect: a 3xx
 * answer is an answer. Rejects with anything when there was no answer; the core says `network_error`.
 */
export type HttpTransport = (request: HttpRequest) => Promise<HttpResponse>;
