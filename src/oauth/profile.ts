import { misconfigured } from '../errors.js';
import { buildAuthorizationUrl } from './authorization-request.js';
import { checkClient } from './client-options.js';
import { checkEndpoint, checkRedirectUris } from './endpoint.js';
import type { Dialect, Fields, OwnProtocol, Provider } from './provider.js';
import { buildTokenRequest } from './token-request.js';

/** What a platform's documents say of one type of client (RFC 6749 section 2.1). */
export interface ClientRules {
  /**
   * `checked`: RFC 7636. `serial`: every token request also announces the challenge of the next one.
   * `unknown`: sent, for a server that does not know it ignores it (RFC 6749 section 3.1), but not relied on.
   * `not sent`: the documents keep it for another type of client. With the last two the sign-in is announced
   * as weaker in `session.state`.
   */
  readonly pkce: 'checked' | 'serial' | 'unknown' | 'not sent';
  /** Which of the tokens the revocation endpoint takes. Without it nothing is revoked. */
  readonly revokes?: 'refresh token' | 'access token';
}

/** A platform as data: OAuth where the documents say nothing else, and an API below one base. */
export interface Profile extends Pick<Provider, 'id' | 'hints' | 'apiFailure'> {
  readonly facts: NonNullable<Provider['facts']>;
  readonly endpoints: {
    readonly authorization: string;
    readonly token: string;
    readonly revocation?: string;
  };
  readonly apiBaseUrl: string;
  readonly clients: {
    readonly public?: ClientRules;
    /** `secret`: in an HTTP Basic header, or in the body. */
    readonly confidential?: ClientRules & { readonly secret: 'basic' | 'post' };
  };
  /** `always` is asked for unsaid; `more` says whether the caller must name others. */
  readonly scopes:
    'none' | { readonly always: readonly string[]; readonly more: 'needed' | 'optional' };
  readonly dialect?: Dialect;
  readonly protocol?: Pick<OwnProtocol, 'tokens' | 'refusal'>;
  /** Where what is signed in to is more than the server, such as one company of a person. */
  readonly server?: string;
  readonly authorizationParameters?: Fields;
  /** Parameters of RFC 6749 the platform does not have. */
  readonly omits?: readonly string[];
  /** Fields of the exchange that every refresh sends again. */
  readonly refreshRepeats?: readonly string[];
  /** Who is signed in: a path below the API base, and the fields to read, the best first. */
  readonly person?: { readonly path: string; readonly names: readonly string[] };
}

export interface ClientOptions {
  readonly clientId: string;
  /** Exactly as registered, port and slash included. The first that can be had is used. */
  readonly redirectUris: readonly string[];
  /** What `api.request` paths are appended to, where it is not the usual one. Tokens go there. */
  readonly apiBaseUrl?: string;
}

export interface ProfileOptions extends ClientOptions {
  readonly clientSecret?: string;
  readonly scopes?: readonly string[];
}

const PKCE = ['code_challenge', 'code_challenge_method', 'code_verifier'];
/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** @throws {MortiseError} `configuration_error` for options that cannot work at this platform. */
export function fromProfile(profile: Profile, options: ProfileOptions): Provider {
  const { id, facts, endpoints, clients, person, hints, apiFailure } = profile;
  const { dialect, authorizationParameters, refreshRepeats = [] } = profile;
  const { apiBaseUrl } = options;
  const client = checkClient({ ...options, scopes: scopesOf(profile, options.scopes) }, SCOPE);
  const isPublic = !client.clientSecret;
  if (!isPublic && !clients.confidential) {
    throw misconfigured('clientSecret is given, but the platform has only clients without one');
  }
  const rules = isPublic ? clients.public : clients.confidential;
  if (!rules) throw misconfigured('clientSecret is missing');
  const { pkce } = rules;
  const omitted = [...(profile.omits ?? []), ...(pkce === 'not sent' ? PKCE : [])];
  const apiBase =
    apiBaseUrl === undefined ? profile.apiBaseUrl : checkEndpoint(apiBaseUrl, 'apiBaseUrl');

  const plain: Provider = {
    id,
    grant: 'authorization_code',
    ...client,
    redirect: checkRedirectUris(options.redirectUris),
    server: profile.server ?? endpoints.token,
    metadata: {
      authorizationEndpoint: endpoints.authorization,
      tokenEndpoint: endpoints.token,
      ...(rules.revokes && { revocationEndpoint: endpoints.revocation }),
      ...(clients.confidential && { clientAuthentication: clients.confidential.secret }),
      ...((pkce === 'unknown' || pkce === 'not sent') && { pkce: 'not checked' as const }),
    },
    dialect: dialect ?? {},
    ...(authorizationParameters && { authorizationParameters }),
    ...(hints && { hints }),
    ...(apiFailure && { apiFailure }),
    ...((pkce === 'serial' || refreshRepeats.length > 0) && {
      carry: carryOf(pkce, refreshRepeats),
    }),
    facts,
    api: ({ connect }) => ({ request: connect(apiBase) }),
    ...(person && {
      async displayName(api) {
        const fields = Object(await (await api.request({ path: person.path })).json());
        const names = person.names.map((name) => fields[name] as unknown);
        return names.find((name): name is string => typeof name === 'string' && !!name) ?? null;
      },
    }),
  };

  return {
    ...plain,
    protocol: {
      ...profile.protocol,
      ...(omitted.length > 0 && {
        authorizationUrl: (request, metadata) =>
          withoutParameters(buildAuthorizationUrl(plain, metadata, request), omitted),
        tokenRequest: (fields, metadata) =>
          buildTokenRequest(plain, metadata, metadata.tokenEndpoint, without(fields, omitted)),
      }),
      revocationRequests({ accessToken, refreshToken }, metadata) {
        const { revocationEndpoint } = metadata;
        const isAccess = rules.revokes === 'access token';
        const token = isAccess ? accessToken : refreshToken;
        if (!revocationEndpoint || token === null) return [];
        const fields = { token, ...(!isAccess && { token_type_hint: 'refresh_token' }) };
        return [buildTokenRequest(plain, metadata, revocationEndpoint, fields)];
      },
    },
  };
}

function scopesOf({ scopes: rule }: Profile, given: readonly string[] = []): readonly string[] {
  if (rule === 'none') return [];
  if (!Array.isArray(given)) throw misconfigured('scopes must be a list');
  if (rule.more === 'needed' && given.every((scope) => rule.always.includes(scope))) {
    throw misconfigured(`scopes must name at least one beside ${rule.always.join(' ')}`);
  }
  return [...new Set([...rule.always, ...given])];
}

/** What a refresh cannot do without, kept with the refresh token from one token request to the next. */
function carryOf(
  pkce: ClientRules['pkce'],
  repeated: readonly string[],
): NonNullable<Provider['carry']> {
  return async (fields, createPkce) => {
    const next = pkce === 'serial' ? await createPkce() : null;
    const others = Object.keys(fields).filter((name) => !repeated.includes(name));
    return {
      send: next ? { code_challenge: next.codeChallenge, code_challenge_method: 'S256' } : {},
      keep: { ...without(fields, others), ...(next && { code_verifier: next.codeVerifier }) },
    };
  };
}

const without = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));

/** By text, so that what stays is encoded as it was. */
function withoutParameters(url: string, names: readonly string[]): string {
  const [address = '', query = ''] = url.split('?');
  const kept = query.split('&').filter((part) => !names.includes(part.replace(/=.*/, '')));
  return `${address}?${kept.join('&')}`;
}
