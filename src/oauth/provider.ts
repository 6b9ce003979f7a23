import type { AnyMortiseError, ErrorCode, MortiseError } from '../errors.js';
import type { HttpRequest, HttpResponse, RedirectRule } from '../ports/index.js';
import type { ApiRequest, ApiResponse } from '../api/request.js';
import type { AuthorizationRequest } from './authorization-request.js';
import type { Pkce } from './pkce.js';

/** Where the server is: RFC 8414 section 2, as far as it is used here. */
export interface ServerMetadata {
  /** Compared with `iss` (RFC 9207), when the server states one. */
  readonly issuer?: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** RFC 7009. */
  readonly revocationEndpoint?: string | undefined;
  readonly userinfoEndpoint?: string | undefined;
  /** RFC 8628. */
  readonly deviceAuthorizationEndpoint?: string | undefined;
  /** `required` when the metadata promises an `iss` in every authorization response (RFC 9207 section 3). */
  readonly iss?: 'required' | 'optional';
  /** How a confidential client shows its secret; HTTP Basic unless the server lists only the body. */
  readonly clientAuthentication?: 'basic' | 'post';
  /** Nothing says that the server compares the verifier: the sign-in is announced as weaker in `session.state`. */
  readonly pkce?: 'not checked';
}

/** How a server departs from the RFCs. What is not declared here is refused. */
export interface Dialect {
  /** `scope=a b` (RFC 6749 section 3.3) unless the server wants `scopes=a&scopes=b`. */
  readonly scopeParameter?: 'scopes repeated';
  /** The server tells of a denial without repeating `state`. */
  readonly denial?: 'without state';
  /**
   * The server never repeats `state`. Whatever arrives at the redirect URI is then tried, and the server's own
   * comparison of challenge and verifier is all that binds an answer to its request.
   */
  readonly state?: 'not repeated';
  /** What the redirect calls the code. Default `code`. */
  readonly codeParameter?: string;
  /** A parameter of the redirect that says, with the value `true`, that the user denied. */
  readonly denialParameter?: string;
  /** The token answer may leave `token_type` out; then it is Bearer. */
  readonly tokenType?: 'optional';
  /** Further spellings of the names in a token answer. Two spellings with different values are refused. */
  readonly tokenNames?: {
    readonly accessToken?: string;
    readonly refreshToken?: string;
    readonly expiresIn?: string;
  };
  /** Form-encode id and secret before Base64 (RFC 6749 section 2.3.1), or take them as they are. */
  readonly basicCredentials?: 'as they are';
  /** A token for fewer scopes can be had (RFC 6749 sections 4.4.2 and 6). Not said, it is refused. */
  readonly fewerScopes?: 'offered';
}

/** Parameters by their names in RFC 6749 and 7636. */
export type Fields = Readonly<Record<string, string>>;

export type WireRequest = Omit<HttpRequest, 'signal'>;

/** Requests and answers of a server that has its own instead of those of the RFCs. */
export interface OwnProtocol {
  /** What a refresh and a revocation need to know, where the rest must be found: they do not wait for it. */
  readonly known?: ServerMetadata;
  readonly authorizationUrl?: (request: AuthorizationRequest, metadata: ServerMetadata) => string;
  /**
   * @param fields As RFC 6749 would send them, `client_id` aside.
   * @param codeChallengeOf The S256 challenge of a verifier.
   */
  readonly tokenRequest?: (
    fields: Fields,
    metadata: ServerMetadata,
    codeChallengeOf: (codeVerifier: string) => Promise<string>,
  ) => WireRequest | Promise<WireRequest>;
  /**
   * Where no `state` comes back: whether a refused code was that of another sign-in, so that waiting goes on.
   * Left out, every `invalid_grant` is one.
   */
  readonly isForeignCode?: (refused: MortiseError<'invalid_grant'>) => boolean;
  /** A token answer in the words of RFC 6749 section 5.1. `nowMs` for lifetimes that are moments. */
  readonly tokens?: (
    body: Readonly<Record<string, unknown>>,
    nowMs: number,
  ) => Readonly<Record<string, unknown>>;
  /** Sent in turn, when somebody signs out. */
  readonly revocationRequests?: (
    tokens: { readonly accessToken: string; readonly refreshToken: string | null },
    metadata: ServerMetadata,
  ) => readonly WireRequest[];
  /** A refusal of the token endpoint in the words of RFC 6749 section 5.2; `undefined` when it is in them. */
  readonly refusal?: (
    body: Readonly<Record<string, unknown>>,
    step: 'exchange' | 'refresh',
  ) => { readonly error: string; readonly error_description?: unknown } | undefined;
}

/** An answer of the API with a status of 300 and above. The session's token is cut out of its text. */
export interface ApiFailure {
  readonly status: number;
  readonly headers: HttpResponse['headers'];
  /** At most 64 KiB; empty when there is more. */
  readonly text: string;
  /** `undefined` when the text is not JSON. */
  readonly json: unknown;
}

/** The answer to "what can the person do", where the platform's own documents know better. */
export type Hints = (
  code: ErrorCode,
  step: 'authorization' | 'exchange' | 'refresh' | 'api',
  status: number | undefined,
) => string | undefined;

/** Sends a request with the session's token; `path` is below the base the function was made for. */
export type ApiSend = (request: ApiRequest) => Promise<ApiResponse>;

/** GETs a public document, without credentials. `json` is `undefined` when it is none. @throws {MortiseError} */
export type ReadDocument = (
  url: string,
) => Promise<{ readonly status: number; readonly text: string; readonly json: unknown }>;

/** What a platform's API is made with. */
export interface ApiTools {
  /**
   * Gives a function that sends requests below a base URL, with the session's token; a base that must first be
   * asked for is asked for once a sign-in.
   */
  readonly connect: (base: string | (() => Promise<string>)) => ApiSend;
  readonly metadata: () => Promise<ServerMetadata>;
  readonly readDocument: ReadDocument;
  /** The tokens in use: cut out of a server's words before an error shows them. */
  readonly secrets: () => readonly string[];
  /**
   * Called before the platform is asked who is signed in; what it gives, with the answer: what tells the user,
   * and the organization, from others. Anybody else than at the sign-in is flagged. What is no text says nothing.
   */
  readonly askIdentity: () => (...who: readonly unknown[]) => void;
}

/** What every platform's API has. */
export interface PlatformApi {
  readonly request: ApiSend;
}

/** A platform: how it differs from the RFCs, and its typed API. One file each; see providers/README.md. */
export interface Provider<Api extends PlatformApi = PlatformApi> {
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
  readonly metadata: ServerMetadata | ((readDocument: ReadDocument) => Promise<ServerMetadata>);
  readonly dialect: Dialect;
  readonly protocol?: OwnProtocol;
  /** More parameters for the authorization request. */
  readonly authorizationParameters?: Readonly<Record<string, string>>;
  readonly hints?: Hints;
  /**
   * What a token request sends beside the fields of RFC 6749, and what of all that the next refresh must send
   * again: it is kept with the refresh token.
   */
  readonly carry?: (
    fields: Fields,
    createPkce: () => Promise<Pkce>,
  ) => Promise<{ readonly send: Fields; readonly keep: Fields }>;
  /**
   * What a failing answer of the API means where its status alone does not tell. `'token refused'` is treated
   * like a 401: one renewal and one more try.
   */
  readonly apiFailure?: (failure: ApiFailure) => AnyMortiseError | 'token refused' | undefined;
  readonly api: (tools: ApiTools) => Api;
  /** Which documents all this is from, and when they were read. */
  readonly facts?: { readonly sources: readonly string[]; readonly readOn: string };
  /** Who is signed in, as a login button would say it. */
  displayName?(api: Api): Promise<string | null>;
}
