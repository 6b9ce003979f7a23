import { mistake, type ConsentRequest, type ConsentRules } from '../consent.js';
import type { Answer, Call } from '../message.js';
import { ORGANIZATIONS } from '../organizations.js';
import type { Registration } from '../platform.js';

const NAME = 'Prevu3D';
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const NATIVE_REDIRECT = /^http:\/\/localhost:([1-9]\d{0,4})$/;

function read({ url }: Call, { redirectUris }: Registration): ConsentRequest | Answer {
  const query = url.searchParams;
  const one = (name: string) => (query.getAll(name).length === 1 && query.get(name)) || '';
  const [clientId, redirectUri] = [one('client_id'), one('redirect_uri')];
  const codeChallenge = one('code_challenge');
  const scopes = query.getAll('scopes');
  const scopesAreRead = scopes.length > 0 && scopes.every((scope) => SCOPE.test(scope));
  // prettier-ignore
  const checks: ReadonlyArray<readonly [holds: boolean, problem: string]> = [
    [one('response_type') === 'code',         'response_type must be code'],
    [one('code_challenge_method') === 'S256', 'code_challenge_method must be S256'],
    [clientId !== '',                         'client_id is required, once'],
    [redirectUri !== '',                      'redirect_uri is required, once'],
    [scopesAreRead,                           'scopes is required, one parameter for each scope'],
    [/^[\w-]{43}$/.test(codeChallenge),       'code_challenge is required: SHA-256 in base64url'],
    [one('state') !== '',                     'state is required, once'],
  ];
  const problems = checks.filter(([holds]) => !holds).map(([, problem]) => problem);
  if (problems.length > 0) {
    return mistake(NAME, 'Consent page error about query parameters', problems);
  }
  const isNative = Number(NATIVE_REDIRECT.exec(redirectUri)?.[1] ?? Infinity) <= 65_535;
  if (!(redirectUris?.includes(redirectUri) ?? isNative)) {
    return mistake(NAME, 'Redirect URI domain must be verified when creating the app', [
      'A native application uses http://localhost and any port, without a path or trailing slash',
    ]);
  }
  return { clientId, redirectUri, codeChallenge, scopes };
}

/** `http://localhost:8765/?code=…&state=…`; a denial comes without `state`. */
function redirect({ url }: Call, answer: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(answer);
  if ('code' in answer) query.set('state', url.searchParams.get('state') ?? '');
  return `${url.searchParams.get('redirect_uri')}/?${query.toString()}`;
}

export const prevu3dConsent = (registration: Registration): ConsentRules => ({
  platform: NAME,
  path: /^\/oauth$/,
  hosts: ['cloud.prevu3d.com', 'cloud.preproduction.prevu3d-int.com'],
  organizations: ORGANIZATIONS,
  lifetimeS: 86_400,
  read: (call) => read(call, registration),
  redirect,
});
