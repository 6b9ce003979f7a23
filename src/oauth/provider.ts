import type { ErrorCode } from '../errors.js';
import type { RedirectRule } from '../ports/index.js';
import type { ApiRequest, ApiResponse } from '../api/request.js';

/** Where the server is: RFC 8414 section 2, as far as it is used here. */
export interface ServerMetadata {
  /** Compared with `iss` (RFC 9207), when the server states one. */
  readonly issuer?: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** RFC 7009. */
  readonly revocationEndpoint?: string | undefined;
  readonly userinfoEndpoint?: string | undefined;
  /** `required` when the metadata promises an `iss` in every authorization response (RFC 9207 section 3). */
  readonly iss?: 'required' | 'optional';
  /** How a confidential client shows its secret; HTTP Basic unless the server lists only the body. */
  readonly clientAuthentication?: 'basic' | 'post';
}

/** How a server departs from the RFCs. What is not declared here is refused. */
export interface Dialect {
  /** `scope=a b` (RFC 6749 section 3.3) unless the server wants `scopes=a&scopes=b`. */
  readonly scopeParameter?: 'scopes repeated';
  /** The server tells of a denial without repeating `state`. */
  readonly denial?: 'without state';
  /** The token answer may leave `token_type` out; then it is Bearer. */
  readonly tokenType?: 'optional';
  /** Further spellings of the names in a token answer. Two spellings with different values are refused. */
  readonly tokenNames?: {
    readonly accessToken?: string;
    readonly expiresIn?: string;
  };
  /** Form-encode id and secret before Base64 (RFC 6749 section 2.3.1), or take them as they are. */
  readonly basicCredentials?: 'as they are';
}

/** The answer to "what can the person do", where the platform's own documents know better. */
export type Hints = (
  code: ErrorCode,
  step: 'authorization' | 'exchange' | 'refresh' | 'api',
  status: number | undefined,
) => string | undefined;

/** Sends a request with the session's token; `path` is below the base the function was made for. */
export type ApiSend = (request: ApiRequest) => Promise<ApiResponse>;

/** GETs a JSON document without credentials. @throws {MortiseError} */
export type ReadJson = (url: string) => Promise<{ status: number; json: unknown }>;

/** A platform: how it differs from the RFCs, and its typed API. One file each; see providers/README.md. */
export interface Provider<Api extends { request: ApiSend } = { request: ApiSend }> {
  /** The file's name, and part of the key under which sessions are stored. */
  readonly id: string;
  readonly grant: 'authorization_code' | 'client_credentials';
  readonly clientId: string;
  /** A function, so that printing a provider prints no secret. Absent for a public client. */
  readonly clientSecret?: () => string;
  readonly scopes: readonly string[];
  readonly redirect: RedirectRule;
  /** Names the server in the store, so that tokens of one server are never found by another. */
  readonly server: string;
  /** Known from the documents, or found by asking the server once a session. */
  readonly metadata: ServerMetadata | ((readJson: ReadJson) => Promise<ServerMetadata>);
  readonly dialect: Dialect;
  /** More parameters for the authorization request. */
  readonly authorizationParameters?: Readonly<Record<string, string>>;
  readonly hints?: Hints;
  /**
   * Makes the platform's API. `connect` gives a function that sends requests below a base URL; a base
   * that must first be asked for is asked for once a sign-in.
   */
  readonly api: (
    connect: (base: string | (() => Promise<string>)) => ApiSend,
    metadata: () => Promise<ServerMetadata>,
  ) => Api;
}
