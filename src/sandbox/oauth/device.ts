import { readDecision, unreadable } from '../consent.js';
import { pageHeaders } from '../consent-page.js';
import { answeredPage, codePage, deviceConsentPage } from '../device-page.js';
import type { Grants } from '../grants.js';
import { formProblem, refusal, type Answer, type Call } from '../message.js';
import { ORGANIZATIONS } from '../organizations.js';
import type { Route } from '../platform.js';
import { invalidRequest } from '../token-endpoint.js';
import { OAUTH_LIFETIME_S, OAUTH_NAME } from './consent.js';
import { readClient } from './token.js';

const UNKNOWN = 'No device waits for this code. It may be mistyped, too old or answered already.';

/** RFC 8628 sections 3.1 and 3.2. */
function begin(call: Call, grants: Grants): Answer {
  const problem = formProblem(call, ['client_id', 'client_secret', 'scope']);
  if (problem !== undefined) return refusal(invalidRequest(problem));
  const client = readClient(call);
  if ('error' in client) return refusal(client);
  const scopes = (call.form.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  const { deviceCode, userCode, lifetimeS, intervalS } = grants.devices.begin(client.id, scopes);
  const { origin } = call.url;
  return {
    status: 200,
    json: {
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: `${origin}/device`,
      verification_uri_complete: `${origin}/device?user_code=${userCode}`,
      expires_in: lifetimeS,
      interval: intervalS,
    },
  };
}

const show = (text: string, status = 200): Answer => ({ status, headers: pageHeaders(), text });

/** RFC 8628 section 3.3. The code may come with the address, and is shown to be compared in any case. */
function ask({ url }: Call, grants: Grants): Answer {
  const typed = url.searchParams.get('user_code');
  if (typed === null) return show(codePage(OAUTH_NAME, ''));
  const request = grants.devices.find(typed);
  if (!request) return show(codePage(OAUTH_NAME, typed, UNKNOWN), 404);
  const choices = { platform: OAUTH_NAME, organizations: ORGANIZATIONS };
  return show(deviceConsentPage({ ...choices, ...request }));
}

function decide(call: Call, grants: Grants): Answer {
  const { devices } = grants;
  const typed = call.url.searchParams.get('user_code') ?? '';
  const request = devices.find(typed);
  if (!request) return show(codePage(OAUTH_NAME, typed, UNKNOWN), 404);
  const { clientId, scopes } = request;
  const decision = readDecision(call, { organizations: ORGANIZATIONS, scopes });
  if (!decision) return unreadable(OAUTH_NAME);
  const isAllowed = decision !== 'deny';
  const grant = { clientId, subject: 'user', lifetimeS: OAUTH_LIFETIME_S } as const;
  devices.decide(typed, isAllowed ? { ...grant, ...decision } : null);
  return show(answeredPage(OAUTH_NAME, isAllowed));
}

/** The device authorization endpoint, and the page that it sends the user to. */
export const deviceRoutes = (grants: Grants): readonly Route[] => [
  {
    method: 'POST',
    path: /^\/device_authorization$/,
    place: 'device',
    answer: (call) => begin(call, grants),
  },
  {
    method: 'GET',
    path: /^\/device$/,
    place: 'verification',
    answer: (call) => ask(call, grants),
  },
  {
    method: 'POST',
    path: /^\/device$/,
    place: 'verification',
    answer: (call) => decide(call, grants),
  },
];
