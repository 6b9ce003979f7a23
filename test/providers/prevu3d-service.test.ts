import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSession, type Session } from 'mortise';
import { prevu3d, type Prevu3dApi } from 'mortise/providers/prevu3d';
import { failureOf } from '../api/support/failure.js';
import { createFakeHost, json, type FakeHost } from './support/fake-host.js';

const printed = (name: string) =>
  readFileSync(resolve(__dirname, '../fixtures/prevu3d', name), 'utf8');

const TOKEN = 'https://cloud-api.prevu3d.com/oauth/token';
const API_INFO = 'https://cloud-api.prevu3d.com/oauth/api-info';
const ORGANIZATION = '217ebd23-ec54-4af0-a6d6-4a441a6d1966';
const BROWSE = `https://api-ue1.prevu3d.com/realityconnect-api/v1/nodes/${ORGANIZATION}/browse`;
/** The word of the printed answers that is no token. */
const ACCESS_TOKEN = 'eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9...';
const HOUR_MS = 3_600_000;

let host: FakeHost;
let session: Session<Prevu3dApi>;

/** What one of the two documents prints, and divisions, which neither does. */
function setUp(tokenAnswer: string, apiInfoAnswer: string): void {
  host = createFakeHost('confidential');
  host.answer({
    [`POST ${TOKEN}`]: { body: printed(tokenAnswer) },
    [`GET ${API_INFO}`]: { body: printed(apiInfoAnswer) },
    [`GET ${BROWSE}`]: json([{ id: 'd1', name: 'North' }]),
  });
  session = createSession({
    host,
    provider: prevu3d({
      grant: 'client_credentials',
      clientId: 'your-client-id',
      clientSecret: 'your-client-secret',
    }),
  });
}

const tokenRequests = () => host.sent.filter(({ url }) => url === TOKEN);

afterEach(async () => {
  await session.close();
  expect(host.clock.pending).toBe(0);
});

/** Each line of a printed request is in the one that was sent. */
function expectPrinted(index: number, request: string): void {
  const { method = '', url = '', headers = {}, body } = host.sent[index] ?? {};
  const { host: name, pathname } = new URL(url);
  const sent = new Map<string, unknown>([
    ['Host', name],
    ...Object.entries(headers).map(([key, value]): [string, string] => [key, value]),
  ]);
  expect(request).toMatch(new RegExp(`^${method} (https://${name})?${pathname} HTTP/1\\.1`));
  for (const [, key = '', value] of request.matchAll(
    /(Host|Authorization|Content-Type): (.*?)(?=Host:|Authorization:|Content-Type:|\n|$)/g,
  )) {
    expect(sent.get(key) ?? sent.get(key.toLowerCase())).toBe(value);
  }
  expect(body ?? '').toBe(method === 'GET' ? '' : request.split('\n').at(-1));
}

describe('Client Credentials Flow, from top to bottom', () => {
  beforeEach(() => setUp('service-token-answer.json', 'api-info-answer.json'));

  test('step 3: the token is asked for with exactly the printed request', async () => {
    await session.getAccessToken();
    expectPrinted(0, printed('service-token-request.txt'));
  });

  test('step 3: the printed answer is a token for one hour, without a refresh token', async () => {
    expect(await session.getAccessToken()).toBe(ACCESS_TOKEN);
    expect(session.state).toMatchObject({ expiresAtMs: host.clock.nowMs() + HOUR_MS });
    expect(JSON.stringify(await stored())).toContain('\\"refreshToken\\":null');
  });

  test('step 4 and 5: API URL and organization are asked for, then the divisions', async () => {
    const { organization, apiUrl } = await session.api.getApiInfo();
    expect(organization).toEqual({ id: ORGANIZATION, name: 'Test Organization' });
    expect(BROWSE.startsWith(apiUrl)).toBe(true);
    expect(await session.api.browse(organization.id)).toEqual([{ id: 'd1', name: 'North' }]);
    expectPrinted(host.sent.length - 1, printed('browse-request.txt'));
    expect(host.sent.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `POST ${TOKEN}`,
      `GET ${API_INFO}`,
      `GET ${API_INFO}`,
      `GET ${BROWSE}`,
    ]);
  });

  test('401 Unauthorized when getting a token: check Client ID and Secret', async () => {
    host.answer({ [`POST ${TOKEN}`]: { status: 401 } });
    const error = await failureOf(session.getAccessToken());
    expect(error).toMatchObject({ code: 'oauth_error', details: { status: 401 } });
    expect(error.hint).toMatch(/Check the Client ID and Secret/);
  });

  test('403 Forbidden when calling the API: all three security layers', async () => {
    host.answer({ [`GET ${BROWSE}`]: { status: 403 } });
    const error = await failureOf(session.api.browse(ORGANIZATION));
    expect(error).toMatchObject({ code: 'forbidden', details: { status: 403 } });
    expect(error.hint).toMatch(/OAuth scopes, content access to the node, and a role/);
    expect(tokenRequests()).toHaveLength(1);
  });

  test('what’s next: a new token before the hour ends, once for all callers', async () => {
    await session.getAccessToken();
    await host.clock.advance(HOUR_MS - 31_000);
    await session.getAccessToken();
    expect(tokenRequests()).toHaveLength(1);
    await host.clock.advance(2_000);
    await Promise.all(Array.from({ length: 50 }, () => session.getAccessToken()));
    expect(tokenRequests()).toHaveLength(2);
    expect(tokenRequests()[1]?.body).toBe('grant_type=client_credentials');
  });
});

describe('the older step by step guide, from top to bottom', () => {
  beforeEach(() => setUp('older-token-answer.json', 'older-api-info-answer.json'));

  test('the token is asked for with exactly the printed request', async () => {
    await session.getAccessToken();
    // The printed Content-Length is one short: "grant_type=client_credentials" has 29 characters.
    expectPrinted(0, printed('older-token-request.txt'));
  });

  test('a lifetime of -1752054750 is no lifetime: the token is used until it is refused', async () => {
    expect(await session.getAccessToken()).toBe(ACCESS_TOKEN);
    expect(session.state).toMatchObject({ name: 'signedIn', expiresAtMs: null });
    await host.clock.advance(HOUR_MS);
    await session.getAccessToken();
    expect(tokenRequests()).toHaveLength(1);
    let isRefused = true;
    host.answer({
      [`GET ${BROWSE}`]: () => {
        const answer = isRefused ? { status: 401 } : json([]);
        isRefused = false;
        return answer;
      },
      [`POST ${TOKEN}`]: json({ hasError: false, expiresIn: -1_752_054_750, accessToken: 'next' }),
    });
    await session.api.browse(ORGANIZATION);
    expect(tokenRequests()).toHaveLength(2);
    expect(host.sent.at(-1)?.headers['authorization']).toBe('Bearer next');
  });

  test('the longer answer of api-info is understood, user, issuedAt and expiresAt included', async () => {
    const expected = JSON.parse(printed('older-api-info-answer.json')) as unknown;
    expect(await session.api.getApiInfo()).toEqual(expected);
    expect(expected).toMatchObject({ issuedAt: expect.any(String), expiresAt: null });
  });

  test('the organization is browsed at the printed address', async () => {
    await session.api.browse(ORGANIZATION);
    const { method, url } = host.sent.at(-1) ?? {};
    expect(`${method} ${url}`).toBe(printed('older-browse-request.txt'));
  });

  // Its script reads `access_token`, its text prints `accessToken`.
  test.each<[string, object, string | null]>([
    ['the spelling of its text', { accessToken: 'a', expiresIn: 60 }, 'a'],
    ['the spelling of its script', { access_token: 'a', expires_in: 60 }, 'a'],
    ['both, saying the same', { access_token: 'a', accessToken: 'a', expiresIn: 60 }, 'a'],
    ['both, saying different things', { access_token: 'a', accessToken: 'b' }, null],
    ['two lifetimes', { access_token: 'a', expires_in: 60, expiresIn: 61 }, null],
  ])('case 107: %s', async (_, answer, token) => {
    host.answer({ [`POST ${TOKEN}`]: json({ hasError: false, ...answer }) });
    const asked = session.getAccessToken();
    if (token === null) {
      expect(await failureOf(asked)).toMatchObject({ code: 'malformed_response' });
    } else expect(await asked).toBe(token);
  });

  test('its script ends without a token, too: an answer that is no success is told with its status', async () => {
    host.answer({ [`POST ${TOKEN}`]: json({ hasError: true }, 400) });
    expect(await failureOf(session.getAccessToken())).toMatchObject({ details: { status: 400 } });
  });
});

test('case 211: the client secret is refused where it cannot be kept', async () => {
  setUp('service-token-answer.json', 'api-info-answer.json');
  const provider = prevu3d({ grant: 'client_credentials', clientId: 'a', clientSecret: 'b' });
  const inPage = createFakeHost('public');
  expect(() => createSession({ host: inPage, provider })).toThrow(
    expect.objectContaining({ code: 'configuration_error' }),
  );
});

async function stored(): Promise<string | null> {
  const key = `mortise/1/prevu3d/${encodeURIComponent(TOKEN)}/your-client-id/default/client_credentials`;
  return host.store.get(key);
}
