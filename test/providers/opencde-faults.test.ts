import type { OpencdeOptions } from 'mortise/providers/opencde';
import { FAULTS, type FaultName, type FaultSwitch } from 'mortise/sandbox';
import { failureOf } from '../api/support/failure.js';
import { closeAll, FOREIGN, open, PROJECT, SECRET } from './support/opencde.js';

type OpencdeFault = Extract<FaultName, `opencde-${string}`>;

/** What each step comes to; where nothing is said, what it comes to without a fault. */
interface Outcome {
  /** A failure ends the row. */
  readonly signIn?: object;
  readonly user?: object;
  readonly projects?: object;
  readonly topics?: object;
  /** Switched on beside it. */
  readonly with?: readonly FaultSwitch[];
}

const USER = { id: 'Architect@example.com', name: 'John Doe' };
const WORKS: Outcome = {};

const failing = (code: string, details?: object) =>
  expect.objectContaining({ code, ...(details && { details: expect.objectContaining(details) }) });
const undiscovered = (problem: string, status?: number) =>
  failing('discovery_failed', { problem, ...(status && { status }) });
const untrusted = (host: string) => failing('api_url_untrusted', { host });
const malformed = failing('malformed_response');
const lists = (failure: object): Outcome => ({ projects: failure, topics: failure });

async function expectOutcome(
  fault: FaultSwitch,
  { signIn, with: others = [], ...expected }: Outcome,
  options: Partial<OpencdeOptions> = {},
): Promise<void> {
  const fixture = open({ faults: [fault, ...others], options });
  if (signIn) {
    expect(await failureOf(fixture.signIn())).toEqual(signIn);
    expect(fixture.session.state).toEqual({ name: 'signedOut', reason: 'never' });
    return;
  }
  await fixture.signIn();
  const { currentUser, projects, topics } = fixture.api;
  const settled = await fixture.over(
    Promise.allSettled([currentUser(), projects(), topics(PROJECT)]),
  );
  const [user, ...listed] = settled.map((each) =>
    each.status === 'fulfilled' ? each.value : each.reason,
  );
  const [projectIds, guids] = listed.map((list) =>
    Array.isArray(list) ? new Set(list.map((each) => each.project_id ?? each.guid)).size : list,
  );
  expect(user).toEqual(expected.user ?? expect.objectContaining(USER));
  expect(projectIds).toEqual(expected.projects ?? 3);
  expect(guids).toEqual(expected.topics ?? 23);
  expect(listed.flat()).toHaveLength((expected.projects ? 1 : 3) + (expected.topics ? 1 : 23));
  expect(fixture.session.state.name).toBe('signedIn');
}

afterEach(closeAll);

// prettier-ignore
const OUTCOMES: Readonly<Record<OpencdeFault, Outcome>> = {
  'opencde-bcf-only':              WORKS,
  'opencde-bcf-lists-3':           { with: ['opencde-bcf-only'] },
  'opencde-foundation-1.0':        WORKS,
  'opencde-versions-html':         WORKS,
  'opencde-versions-empty':        WORKS,
  'opencde-versions-null-entry':   WORKS,
  'opencde-versions-newer':        WORKS,
  'opencde-no-bcf':                lists(undiscovered('it has no BCF API 3.0 or 2.1')),
  'opencde-base-url':              WORKS,
  'opencde-base-url-slash':        WORKS,
  'opencde-base-url-null':         WORKS,
  'opencde-base-url-path':         WORKS,
  'opencde-base-url-foreign':      { signIn: untrusted('collector.example') },
  'opencde-base-url-http':         { signIn: untrusted('cde.example') },
  'opencde-basic-string':          WORKS,
  'opencde-auth-basic-only':       { signIn: undiscovered('it offers no OAuth, but user names and passwords') },
  'opencde-auth-one-url':          { signIn: undiscovered('it offers no OAuth') },
  'opencde-auth-implicit':         { signIn: undiscovered('it does not offer the authorization code grant') },
  'opencde-auth-flows-null':       WORKS,
  'opencde-auth-query':            WORKS,
  'opencde-auth-foreign':          { signIn: undiscovered('its oauth2_auth_url is on another origin') },
  'opencde-auth-http':             { signIn: undiscovered('its oauth2_auth_url is not an https address') },
  'opencde-pkce-required':         WORKS,
  'opencde-pkce-plain':            { signIn: undiscovered('it does not offer PKCE with S256') },
  // The page says what is missing, to the user: no answer ever comes back.
  'opencde-redirect-url':          { signIn: failing('sign_in_timeout') },
  'opencde-token-200':             WORKS,
  'opencde-token-lifetime-number': WORKS,
  'opencde-token-basic-required':  { signIn: failing('invalid_client', { status: 401 }) },
  'opencde-user-without-name':     { user: { id: USER.id } },
  'opencde-user-without-id':       { user: malformed },
  'opencde-more-members':          WORKS,
  'opencde-paging-ignored':        WORKS,
  'opencde-page-capped':           WORKS,
  'opencde-list-endless':          WORKS,
  'opencde-list-null':             lists(malformed),
  'opencde-list-in-value':         lists(malformed),
  'opencde-item-without-id':       lists(malformed),
  'opencde-item-null':             lists(malformed),
  'opencde-members-null':          WORKS,
  'opencde-times-without-zone':    WORKS,
  'opencde-times-without-colon':   WORKS,
  'opencde-409':                   lists(failing('http_error', { status: 409, errorDescription: 'A topic with this GUID exists.' })),
};

test.each(Object.entries(OUTCOMES))('%s', async (fault, outcome) => {
  await expectOutcome(fault as OpencdeFault, outcome);
});

test('there is no fault of OpenCDE without its row', () => {
  const named = Object.keys(FAULTS).filter((name) => name.startsWith('opencde-'));
  expect(Object.keys(OUTCOMES).sort()).toEqual(named.sort());
});

// prettier-ignore
const COMMON: ReadonlyArray<readonly [FaultSwitch, Outcome]> = [
  ['opencde-more-members@metadata',          WORKS],
  ['opencde-more-members@token',             WORKS],
  ['opencde-more-members@userinfo',          WORKS],
  ['metadata-500',                           { signIn: undiscovered('it cannot list its APIs', 500) }],
  ['metadata-html',                          { signIn: undiscovered('it lists no API') }],
  // BCF 2.1 in its place, until somebody asks again.
  ['metadata-404-once',                      WORKS],
  ['redirect-wrong-state-first',             { signIn: failing('sign_in_timeout') }],
  ['redirect-state-missing',                 { signIn: failing('sign_in_timeout') }],
  ['redirect-temporarily-unavailable',       { signIn: failing('oauth_error', { error: 'temporarily_unavailable' }) }],
  ['token-camel-case',                       { signIn: malformed }],
  ['token-no-access-token',                  { signIn: malformed }],
  ['token-not-a-string',                     { signIn: malformed }],
  ['token-type-missing',                     { signIn: malformed }],
  ['token-type-mac',                         { signIn: malformed }],
  ['token-expires-negative',                 WORKS],
  ['token-expires-string',                   WORKS],
  ['token-expires-zero',                     WORKS],
  ['token-expires-absent',                   WORKS],
  ['token-status-201',                       WORKS],
  ['token-truncated',                        { signIn: malformed }],
  ['token-endless',                          { signIn: malformed }],
  ['token-broken-off',                       { signIn: failing('network_error') }],
  ['token-answer-lost',                      { signIn: failing('network_error') }],
  ['token-has-error',                        { signIn: failing('oauth_error') }],
  ['token-error-200',                        { signIn: failing('oauth_error') }],
  ['token-204',                              { signIn: malformed }],
  ['token-400-empty',                        { signIn: failing('oauth_error', { status: 400 }) }],
  ['token-invalid-client',                   { signIn: failing('invalid_client') }],
  ['token-502-html',                         { signIn: failing('http_error', { status: 502 }) }],
  ['token-200-html',                         { signIn: malformed }],
  ['token-503-retry-after',                  { signIn: failing('rate_limited', { retryAfterMs: 1_000 }) }],
  ['token-reset',                            { signIn: failing('network_error') }],
  ['token-hang',                             { signIn: failing('timeout') }],
  // Case 98.
  ['token-redirect',                         { signIn: failing('http_error', { status: 307 }) }],
  ['exchange-invalid-grant',                 { signIn: failing('invalid_grant') }],
  ['api-401',                                lists(failing('http_error', { status: 401 }))],
  ['api-401-once',                           WORKS],
  ['api-403',                                lists(failing('forbidden', { status: 403 }))],
  ['api-429-once',                           WORKS],
  ['api-503-once',                           WORKS],
  ['api-200-html',                           lists(malformed)],
  // Case 159.
  ['api-redirect',                           lists(failing('http_error', { status: 302 }))],
  ['api-reset',                              lists(failing('network_error'))],
  ['api-hang',                               lists(failing('timeout'))],
];

test.each(COMMON)('%s, as on any platform', (fault, outcome) => expectOutcome(fault, outcome));

test('opencde-token-basic-required is met by a client with a secret', async () => {
  await expectOutcome('opencde-token-basic-required', WORKS, { clientSecret: SECRET });
});

test('opencde-auth-query: the query of the page stays beside ours', async () => {
  const page = await open({ faults: ['opencde-auth-query'] }).signIn();
  expect(page.searchParams.get('tenant')).toBe('harbour');
  expect(page.searchParams.getAll('state')).toHaveLength(1);
});

test.each([
  ['opencde-base-url-foreign', ['/foundation/1.1/auth', '/oauth2/token', '/bcf/3.0/projects']],
  ['opencde-auth-foreign', ['/oauth2/token']],
] as const)('case 169: %s works once its origin is confirmed', async (fault, paths) => {
  const options = { trustedOrigins: [FOREIGN] };
  await expectOutcome(fault, WORKS, options);
  const { signIn, over, api, sent } = open({ faults: [fault], options });
  await signIn();
  await over(api.projects());
  const there = sent.filter(({ url }) => url.startsWith(FOREIGN)).map(({ url }) => new URL(url));
  expect(there.map(({ pathname }) => pathname)).toEqual(paths);
});

// prettier-ignore
test.each([
  ['its subdomain',      'https://api.collector.example'],
  ['its parent',         'https://example'],
  ['another port',       'https://collector.example:8443'],
  ['a longer name',      'https://collector.example.evil.example'],
  ['a name like it',     'https://evilcollector.example'],
  ['a dot at the end',   'https://collector.example.'],
  ['a star',             'https://*.example'],
])('case 169: %s, when confirmed, confirms no other', async (_, origin) => {
  for (const fault of ['opencde-base-url-foreign', 'opencde-auth-foreign'] as const) {
    const { signIn } = open({ faults: [fault], options: { trustedOrigins: [origin] } });
    expect((await failureOf(signIn())).code).toMatch(/^(api_url_untrusted|discovery_failed)$/);
  }
});

test.each(['HTTPS://Collector.Example:443', `${FOREIGN}/`, `${FOREIGN}/some/path?a#b`])(
  'case 171: an origin is confirmed however it is written: %s',
  async (origin) => {
    const options = { trustedOrigins: ['https://other.example', origin] };
    await expectOutcome('opencde-base-url-foreign', WORKS, options);
  },
);
