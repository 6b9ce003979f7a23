import { MortiseError, misconfigured, type AnyMortiseError } from '../errors.js';
import {
  createGraphql,
  graphqlError,
  readProblems,
  type Graphql,
  type GraphqlMeanings,
} from '../api/graphql.js';
import {
  cursorPages,
  listing,
  type CursorPage,
  type Listing,
  type PageOptions,
} from '../api/pages.js';
import { findExchange, protocolOf } from './speckle/protocol.js';
import { parseServerUrl, parseUrl } from '../oauth/endpoint.js';
import type { ApiFailure, ApiSend, Hints, Provider } from '../oauth/provider.js';

/**
 * @module Speckle, hosted and self-hosted, from its page "Getting a token through PKCE" (last modified on
 * 2026-03-26) and from the public server, specklesystems/speckle-server at 51d43b91 (2026-06-15), read on
 * 2026-11-22.
 *
 * There is no `state`: the server neither reads nor repeats one. What binds an answer to its request is the
 * challenge, made anew for each attempt and compared by the server when the code is exchanged.
 *
 * - It protects from a code of somebody else's sign-in: the server refuses it, and waiting goes on.
 * - It does not protect from who can read the address of this sign-in, as a `state` would not either: they can
 *   have a code of their own account bound to the same challenge.
 * - A forged `?denied=true`, which any program on the machine can send, cannot be told from a real one and ends
 *   the sign-in, as an answer with two codes does, or a code refused in words that are in no document. It can do
 *   no more: the tokens of an earlier sign-in stay.
 * - A server that has only the older exchange compares the challenge with itself, as it stood in the address:
 *   whoever saw the address and the code could exchange it, but for the app secret.
 */

export interface SpeckleOptions {
  /** Default `https://app.speckle.systems`. Only its origin counts. */
  readonly serverUrl?: string;
  readonly appId: string;
  /** For servers that have only the older exchange, and to renew tokens, which no server does without. */
  readonly appSecret?: string;
  /** Exactly the one registered for the app: the server sends to no other. Without a query; at most 100 characters. */
  readonly redirectUri: string;
}

export interface SpeckleUser {
  readonly id: string;
  readonly name: string;
  /** `null` without the scope `profile:email`. */
  readonly email: string | null;
  readonly [field: string]: unknown;
}

export interface SpeckleProject {
  readonly id: string;
  readonly name: string;
  readonly [field: string]: unknown;
}

export interface SpeckleApi {
  /** Below the server's origin. */
  readonly request: ApiSend;
  readonly graphql: Graphql;
  /** `null` when the token belongs to nobody, or lacks the scope `profile:read`. */
  activeUser(options?: { signal?: AbortSignal }): Promise<SpeckleUser | null>;
  /** All projects of the user, page by page; `limit` is the size of a page, 25 unless said otherwise. */
  projects(options?: PageOptions): Listing<SpeckleProject>;
}

const ACTIVE_USER = '{ activeUser { id name email avatar company } }';
const PROJECTS =
  'query Projects($limit: Int!, $cursor: String) { activeUser { projects(limit: $limit, cursor: $cursor) { cursor items { id name description role createdAt updatedAt } } } }';

const hints: Hints = (code, step, status) => {
  if (step === 'authorization') return 'Sign in again and click Allow.';
  if (code === 'invalid_client') return 'Check the App ID and App Secret.';
  if (code === 'insufficient_scope') {
    return 'The app lacks a scope: its author adds it at the server, under Settings, Developer, Apps. Then sign in again.';
  }
  if (code === 'forbidden') return 'Ask the project’s owner for access.';
  if (code === 'http_error' && (status === 401 || status === 403)) return 'Sign in again.';
  return undefined;
};

export function speckle(options: SpeckleOptions): Provider<SpeckleApi> {
  const { serverUrl = 'https://app.speckle.systems', appId, appSecret, redirectUri } = options;
  const { origin } = parseServerUrl(serverUrl);
  if (!appId) throw misconfigured('appId is missing');
  if (typeof appId !== 'string' || !/^[\w-]+$/.test(appId)) {
    throw misconfigured('appId must be letters, digits, - and _');
  }
  if (appSecret !== undefined && (typeof appSecret !== 'string' || appSecret === '')) {
    throw misconfigured('appSecret is empty');
  }
  // The server appends "?access_code=…" to whatever was registered, and can register no more.
  if (!parseUrl(redirectUri) || /[?#]/.test(redirectUri)) {
    throw misconfigured('redirectUri must be the registered address, without a query');
  }
  if (redirectUri.length > 100) throw misconfigured('redirectUri must have at most 100 characters');

  return {
    id: 'speckle',
    grant: 'authorization_code',
    clientId: appId,
    ...(appSecret !== undefined && { clientSecret: () => appSecret }),
    scopes: [],
    redirect: [redirectUri],
    server: origin,
    metadata: (readDocument) => findExchange(origin, appSecret !== undefined, readDocument),
    dialect: {
      state: 'not repeated',
      codeParameter: 'access_code',
      denialParameter: 'denied',
      tokenType: 'optional',
      tokenNames: { accessToken: 'token', refreshToken: 'refreshToken' },
    },
    protocol: protocolOf(origin, appId, appSecret),
    hints,
    apiFailure,
    api({ connect, secrets, askIdentity }) {
      const request = connect(origin);
      const graphql = createGraphql(request, 'graphql', meanings, secrets);
      return {
        request,
        graphql,
        async activeUser(how) {
          const tell = askIdentity();
          const { data } = await graphql<Answer<SpeckleUser>>(ACTIVE_USER, {}, how);
          const user = userIn(data);
          tell(user?.id);
          return user;
        },
        projects: (how) =>
          listing(() =>
            cursorPages(how, async (variables, signal) => {
              const { data, errors } = await graphql<Answer<Projects>>(PROJECTS, variables, {
                signal,
              });
              const page = userIn(data)?.projects;
              // A page that failed must not look like the end of the list.
              if (!page && errors.length > 0) throw graphqlError(errors, meanings, secrets());
              const found = page ?? { items: [], cursor: null };
              if (Array.isArray(found.items) && !found.items.every(isProject)) {
                throw new MortiseError('malformed_response', { problem: 'a project has no id' });
              }
              return found;
            }),
          ),
      };
    },
    async displayName(api) {
      const name: unknown = (await api.activeUser())?.name;
      return typeof name === 'string' ? name : null;
    },
  };
}

type Answer<User> = { readonly activeUser?: User | null };
type Projects = { readonly projects?: CursorPage<SpeckleProject> | null };

const isProject = (entry: unknown): boolean => typeof Object(entry).id === 'string';

/** `null` when the token belongs to nobody. */
function userIn<User>({ activeUser }: Answer<User>): User | null {
  if (typeof activeUser === 'object') return activeUser;
  throw new MortiseError('malformed_response', { problem: 'it holds no user' });
}

/** A revoked or expired token is status 403 here, on every path. */
function apiFailure({ status, json }: ApiFailure): AnyMortiseError | 'token refused' | undefined {
  const { error, errors } = Object(json) as { error?: unknown; errors?: unknown };
  if (status === 403 && typeof error === 'string' && /token is not valid/i.test(error)) {
    return 'token refused';
  }
  const problems = status === 400 ? readProblems(errors) : [];
  return problems.length > 0 ? graphqlError(problems, meanings, []) : undefined;
}

const meanings: GraphqlMeanings = {
  codes: {
    FORBIDDEN: 'forbidden',
    UNAUTHORIZED_ACCESS_ERROR: 'forbidden',
    SSO_SESSION_MISSING_OR_EXPIRED_ERROR: 'forbidden',
    UNAUTHENTICATED: 'http_error',
    UNAUTHORIZED: 'http_error',
    RATE_LIMIT_ERROR: 'rate_limited',
  },
  hint: (meant, code) =>
    code.startsWith('SSO_')
      ? 'Sign in to the workspace with single sign-on in a browser, then try again.'
      : hints(meant, 'api', meant === 'http_error' ? 401 : undefined),
};
