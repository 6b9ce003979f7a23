import { isVerifierOf, type Grants, type Issued } from '../grants.js';
import type { Answer, Call, Refused } from '../message.js';
import { bound } from './consent.js';
import type { Claims } from '../token.js';
import { WRONG_SECRET } from '../token-endpoint.js';

/** The server's own words, so that a client can be tested against them. */
const SAYS = {
  unknownCode: 'Access code not found.',
  oldCode: 'Access code expired',
  otherApp: 'Invalid request: application id does not match.',
  otherChallenge:
    'Code challenge mismatch. Ensure the same challenge is used for authentication and token exchange.',
  wrongSecret: 'Invalid app secret. Ensure the app secret is correct.',
  badRefresh: 'Invalid request',
  oldRefresh: 'Refresh token expired',
  refreshNeedsSecret: 'Invalid request - App Id and Secret are required.',
  exchangeNeeds:
    'Invalid request, insufficient information provided in the request. App Id, Secret, Access Code, and Challenge are required.',
  newExchangeNeeds:
    'Invalid request, insufficient information provided in the request. App Id, Access Code, and Code Verifier are required.',
};

/** How Speckle says what `Grants` finds by itself. */
const TRANSLATED: ReadonlyMap<string, string> = new Map([
  ['The code is unknown or was used before.', SAYS.unknownCode],
  ['The code is too old.', SAYS.oldCode],
  ['The refresh token is unknown.', SAYS.badRefresh],
  ['The refresh token belongs to another client.', SAYS.badRefresh],
  ['The refresh token is too old.', SAYS.oldRefresh],
]);

const TEXT = { 'content-type': 'text/html; charset=utf-8' };

/** A member of the body, which is JSON or a form; empty when it is missing or no text. */
export function field({ json, form }: Call, name: string): string {
  const members = Object(json) as Readonly<Record<string, unknown>>;
  const value = Object.hasOwn(members, name) ? members[name] : form.get(name);
  return typeof value === 'string' ? value : '';
}

/** A body that says it is JSON and is neither object nor array never reaches a handler. */
export function refuseMalformed({ headers, json }: Call): Answer | undefined {
  const isJson = /^\s*application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');
  if (!isJson || (typeof json === 'object' && json !== null)) return undefined;
  const error = { message: 'The body is not valid JSON.', code: 'USER_INPUT_ERROR' };
  return { status: 400, json: { error } };
}

const refuse = (err: string): Answer => ({ status: 401, json: { err } });

/** Neither a lifetime nor a type is ever said. */
function answerWith(issued: Issued | Refused): Answer {
  if ('error' in issued) {
    return refuse(TRANSLATED.get(issued.description) ?? issued.description);
  }
  return { status: 200, json: { token: issued.accessToken, refreshToken: issued.refreshToken } };
}

/** The token endpoints of one sandbox, and who a bearer is. */
export function createSpeckleTokens(grants: Grants) {
  // Not in `Grants`: there a refresh token takes its whole grant with it, here it goes alone.
  const loggedOut = new Set<string>();

  function readToken(token: string): Claims | null {
    return loggedOut.has(token) ? null : grants.readAccessToken(token);
  }

  function refresh(call: Call): Answer {
    const [appId, secret] = [field(call, 'appId'), field(call, 'appSecret')];
    if (!appId || !secret) return refuse(SAYS.refreshNeedsSecret);
    const token = field(call, 'refreshToken');
    if (loggedOut.has(token) || secret === WRONG_SECRET) return refuse(SAYS.badRefresh);
    return answerWith(grants.redeemRefreshToken(token, appId, null));
  }

  function exchange(call: Call): Answer {
    const [appId, secret] = [field(call, 'appId'), field(call, 'appSecret')];
    const [code, challenge] = [field(call, 'accessCode'), field(call, 'challenge')];
    if (!appId || !secret || !code || !challenge) return refuse(SAYS.exchangeNeeds);
    const issued = grants.takeCode(code, ({ grant, codeChallenge }) => {
      if (grant.clientId !== appId) return SAYS.otherApp;
      // Like the public server, which knows no method: a hash is a text like any other.
      const isSame = [bound(challenge, 'plain'), bound(challenge, 'S256')].includes(codeChallenge);
      if (!isSame) return SAYS.otherChallenge;
      return secret === WRONG_SECRET ? SAYS.wrongSecret : undefined;
    });
    return answerWith(issued);
  }

  const viewer = ({ headers }: Call): Claims | null =>
    readToken(headers['authorization']?.replace(/^Bearer +/i, '') ?? '');

  return {
    /** Who the bearer is; `null` for nobody. */
    viewer,

    /** Before any handler, on every path: a header that names nobody is refused, needed or not. */
    refuseStale(call: Call): Answer | undefined {
      if (!call.headers['authorization'] || viewer(call)) return undefined;
      return { status: 403, json: { error: 'Your token is not valid.' } };
    },

    /** `POST /auth/token`, for apps with a secret. */
    answerToken: (call: Call): Answer =>
      refuseMalformed(call) ?? (field(call, 'refreshToken') ? refresh(call) : exchange(call)),

    /** `POST /oauth/token`: RFC 7636 and no secret. Its refusals are in no document. */
    answerNewExchange(call: Call): Answer {
      const malformed = refuseMalformed(call);
      if (malformed) return malformed;
      const [appId, code] = [field(call, 'appId'), field(call, 'accessCode')];
      const verifier = field(call, 'codeVerifier');
      if (!appId || !code || !verifier) return refuse(SAYS.newExchangeNeeds);
      const issued = grants.takeCode(code, ({ grant, codeChallenge }) => {
        if (grant.clientId !== appId) return SAYS.otherApp;
        const isHash = codeChallenge.startsWith(bound('', 'S256'));
        const challenge = codeChallenge.slice(bound('', 'S256').length);
        return isHash && isVerifierOf(verifier, challenge) ? undefined : SAYS.otherChallenge;
      });
      return answerWith(issued);
    },

    /** Needs no bearer. A token that is dead already ends it before the refresh token is looked at. */
    logOut(call: Call): Answer {
      const malformed = refuseMalformed(call);
      if (malformed) return malformed;
      const [token, refreshToken] = [field(call, 'token'), field(call, 'refreshToken')];
      if (!readToken(token)) {
        const text = 'Something went wrong while trying to logout.';
        return { status: 400, headers: TEXT, text };
      }
      loggedOut.add(token);
      if (refreshToken) loggedOut.add(refreshToken);
      return { status: 200, json: { message: 'You have logged out.' } };
    },
  };
}
