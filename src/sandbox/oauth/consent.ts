import { mistake, redirectTo, type ConsentRequest, type ConsentRules } from '../consent.js';
import type { Answer, Call } from '../message.js';
import type { Registration } from '../platform.js';
import { answerAt, isRedirectUri } from '../redirect-uri.js';
import { ORGANIZATIONS } from '../organizations.js';

export const OAUTH_NAME = 'OAuth';
export const OAUTH_LIFETIME_S = 3_600;

/** RFC 8252 section 7.1: a scheme that is a reversed domain. */
const isPrivateUse = ({ protocol }: URL): boolean =>
  /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/.test(protocol);

/** With RFC 9207: every answer says who gives it. */
const redirect = ({ url }: Call, answer: Readonly<Record<string, string>>) =>
  answerAt(url.searchParams.get('redirect_uri') ?? '', answer, url.searchParams.get('state'), {
    iss: url.origin,
  });

const PARAMETERS = [
  'response_type',
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
];

function read(call: Call, registration: Registration): ConsentRequest | Answer {
  const query = call.url.searchParams;
  const clientId = query.get('client_id');
  const redirectUri = query.get('redirect_uri') ?? '';
  const codeChallenge = query.get('code_challenge') ?? '';
  const twice = PARAMETERS.find((name) => query.getAll(name).length > 1);
  if (!clientId || twice !== undefined || !isRedirectUri(redirectUri, registration, isPrivateUse)) {
    // RFC 6749 section 4.1.2.1: nobody is sent to an address that is in doubt.
    return mistake(OAUTH_NAME, 'The authorization request cannot be answered', [
      'client_id and redirect_uri are required, and no parameter may come twice',
      'redirect_uri is https, http on loopback, or a private-use scheme such as com.example.app:',
    ]);
  }
  const refuse = (error: string) => redirectTo(redirect(call, { error }));
  if (query.get('response_type') !== 'code') return refuse('unsupported_response_type');
  if (query.get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(codeChallenge)) {
    return refuse('invalid_request');
  }
  const scopes = (query.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  return { clientId, redirectUri, codeChallenge, scopes };
}

export const oauthConsent = (registration: Registration): ConsentRules => ({
  platform: OAUTH_NAME,
  path: /^\/authorize$/,
  organizations: ORGANIZATIONS,
  lifetimeS: OAUTH_LIFETIME_S,
  read: (call) => read(call, registration),
  redirect,
});
