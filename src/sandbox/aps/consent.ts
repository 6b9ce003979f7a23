import { APS_HOSTS } from './hosts.js';
import { readScopes } from './scopes.js';
import { mistake, redirectTo, type ConsentRequest, type ConsentRules } from '../consent.js';
import type { Answer, Call } from '../message.js';
import type { Registration } from '../platform.js';
import { answerAt, isRedirectUri } from '../redirect-uri.js';

const NAME = 'APS';

/** The documents' examples print 3599 for the hour that a token lives. */
export const APS_LIFETIME_S = 3_599;

/** The platform's consent page asks for no organization; the sandbox's needs one to show. */
export const APS_ACCOUNT = { id: 'autodesk-account', name: 'The account of John Doe' } as const;

const redirect = ({ url: { searchParams } }: Call, answer: Readonly<Record<string, string>>) =>
  answerAt(searchParams.get('redirect_uri') ?? '', answer, searchParams.get('state'));

const PARAMETERS = [
  'response_type',
  'response_mode',
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
];

type Check = readonly [holds: boolean, problem: string];
const problemsOf = (checks: readonly Check[]) =>
  checks.filter(([holds]) => !holds).map(([, problem]) => problem);

function read(call: Call, registration: Registration): ConsentRequest | Answer {
  const query = call.url.searchParams;
  const [clientId, redirectUri] = [query.get('client_id') ?? '', query.get('redirect_uri') ?? ''];
  // prettier-ignore
  const mistakes = problemsOf([
    [PARAMETERS.every((name) => query.getAll(name).length < 2),  'no parameter may come twice'],
    [clientId !== '',                                            'client_id is required'],
    [isRedirectUri(redirectUri, registration),                   'redirect_uri must be a Callback URL that is registered, to the letter'],
    [/^[A-Za-z0-9,._-]*$/.test(query.get('state') ?? ''),        'state may hold letters, digits and , . _ - only'],
  ]);
  // RFC 6749 section 4.1.2.1: nobody is sent to an address that is in doubt.
  if (mistakes.length > 0) {
    return mistake(NAME, 'The authorization request cannot be answered', mistakes);
  }

  const scopes = readScopes(query.get('scope'));
  const codeChallenge = query.get('code_challenge');
  const method = query.get('code_challenge_method');
  const isChallenge =
    codeChallenge === null
      ? method === null
      : method === 'S256' && /^[\w-]{43}$/.test(codeChallenge);
  const refuse = (error: string) => redirectTo(redirect(call, { error }));
  if (query.get('response_type') !== 'code') return refuse('unsupported_response_type');
  if (!scopes) return refuse('invalid_scope');
  if (!isChallenge || (query.get('response_mode') ?? 'query') !== 'query') {
    return refuse('invalid_request');
  }
  if (scopes.includes('openid') && !query.get('nonce')) return refuse('invalid_request');
  return { clientId, redirectUri, codeChallenge: codeChallenge ?? '', scopes };
}

export const apsConsent = (registration: Registration): ConsentRules => ({
  platform: NAME,
  path: /^\/authentication\/v2\/authorize$/,
  hosts: APS_HOSTS,
  organizations: [APS_ACCOUNT],
  lifetimeS: APS_LIFETIME_S,
  read: (call) => read(call, registration),
  redirect,
});

/** Only an address that was registered beforehand is followed; else the user stays where he is. */
export function apsLogout({ url }: Call, registration: Registration): Answer {
  const uri = url.searchParams.get('post_logout_redirect_uri') ?? '';
  return isRedirectUri(uri, registration)
    ? { status: 302, headers: { location: uri } }
    : {
        status: 200,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        text: 'SANDBOX: you are signed out. The platform shows its sign-in page here.',
      };
}
