import type { ByteStream } from '../ports/index.js';

export type QueryValue = string | number | boolean | null | undefined;

export interface Progress {
  readonly direction: 'upload' | 'download';
  readonly transferredBytes: number;
  /** `null` when the length is not known beforehand. */
  readonly totalBytes: number | null;
}

/** One request to the platform's API. */
export interface ApiRequest {
  /** Default `GET`. */
  readonly method?: string;
  /** Appended to the API base, which it cannot leave. May carry a query. */
  readonly path: string;
  /** `null` and `undefined` are left out; an array repeats the name. */
  readonly query?: Readonly<Record<string, QueryValue | readonly QueryValue[]>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Encoded for you; sets `content-type`. */
  readonly json?: unknown;
  readonly body?: string | Uint8Array | ByteStream | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * How long each try may wait for the response headers, and each read for the body; while a body
   * streams, how long it may stand still. Default 30,000.
   */
  readonly timeoutMs?: number;
  /** Says that sending twice does no harm, so that a POST may be tried again. */
  readonly idempotent?: boolean;
  /** Hears of the upload when there is a body, else of the download. */
  readonly onProgress?: (progress: Progress) => void;
}

/** A response with a status below 300. Its body is read once, by one of the four. */
export interface ApiResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: { get(name: string): string | null | undefined };
  /** @throws {MortiseError} `malformed_response` when it is not JSON. At most 32 MiB, as `text` and `bytes`. */
  json<T = unknown>(): Promise<T>;
  text(): Promise<string>;
  bytes(): Promise<Uint8Array>;
  /** Of any length. Leaving the loop early frees the socket. */
  stream(): ByteStream;
}
