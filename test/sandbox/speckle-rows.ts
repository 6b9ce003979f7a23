import type { FaultName } from 'mortise/sandbox';
import { GRAPHQL, LOGOUT, NEW, PROJECTS, start, verifyUrl } from './speckle-client.js';

type SpeckleFault = Extract<FaultName, `speckle-${string}`>;

const HTML = 'text/html; charset=utf-8';
const ME = '{ activeUser { name } }';

const startWith = (fault: SpeckleFault) => start({ faults: [fault] });

/** The old exchange works beside it, with the hash in the place of the verifier. */
async function lacksNewExchange(fault: SpeckleFault, probe: number, post: number) {
  const client = startWith(fault);
  const code = await client.code();
  const probed = await client.get(NEW);
  expect([probed.status, probed.text === 'supported']).toEqual([probe, false]);
  expect((await client.exchange(code)).status).toBe(post);
  expect((await client.exchangeOld(code)).status).toBe(200);
}

async function failsWith(fault: SpeckleFault, code: string, more = {}) {
  const { status, json } = await startWith(fault).ask(ME);
  expect([status, json.data]).toEqual([200, null]);
  expect(json.errors[0].extensions).toMatchObject({ code, ...more });
}

async function redirected(fault: SpeckleFault) {
  return [...new URL(await startWith(fault).consent()).searchParams];
}

/** Signed in, and then two queries. */
async function askTwice(fault: SpeckleFault) {
  const client = startWith(fault);
  const { token } = await client.signIn();
  return [await client.graphql(token, ME), await client.graphql(token, ME)] as const;
}

/** What each fault looks like to a client. */
export const SPECKLE_ROWS: Readonly<Record<SpeckleFault, () => Promise<void>>> = {
  'speckle-legacy-only': () => lacksNewExchange('speckle-legacy-only', 404, 404),
  async 'speckle-front-end'() {
    await lacksNewExchange('speckle-front-end', 200, 404);
    expect((await startWith('speckle-front-end').get(NEW)).header('content-type')).toBe(HTML);
  },
  'speckle-probe-503': () => lacksNewExchange('speckle-probe-503', 503, 503),

  async 'speckle-stray-code-first'() {
    const client = startWith('speckle-stray-code-first');
    expect((await client.exchange(await client.code())).json.err).toBe('Access code not found.');
    expect((await client.exchange(await client.code())).status).toBe(200);
  },
  async 'speckle-code-twice'() {
    const parameters = await redirected('speckle-code-twice');
    expect(parameters.map(([name]) => name)).toEqual(['access_code', 'access_code']);
  },
  async 'speckle-code-and-denied'() {
    const parameters = await redirected('speckle-code-and-denied');
    expect(parameters.map(([name]) => name)).toEqual(['access_code', 'denied']);
  },
  async 'speckle-redirect-naive'() {
    const client = startWith('speckle-redirect-naive');
    const redirect = await client.consent();
    expect(redirect).toMatch(/^http:\/\/localhost:3000\/callback\?from=cad\?access_code=sandbox-/);
    expect(await client.consent(verifyUrl(), { decision: 'deny' })).toMatch(/\?denied=true$/);
  },

  async 'speckle-no-refresh-token'() {
    const client = startWith('speckle-no-refresh-token');
    expect(Object.keys(await client.signIn())).toEqual(['token']);
  },
  async 'speckle-exchange-refused'() {
    const client = startWith('speckle-exchange-refused');
    for (const send of [client.exchange, client.exchangeOld]) {
      const answer = await send(await client.code());
      expect([answer.status, answer.json.err]).toEqual([401, 'Access code not found.']);
    }
  },
  async 'speckle-refresh-refused'() {
    const client = startWith('speckle-refresh-refused');
    const answer = await client.refresh((await client.signIn()).refreshToken);
    expect([answer.status, answer.json]).toEqual([401, { err: 'Invalid request' }]);
  },
  async 'speckle-logout-400'() {
    const client = startWith('speckle-logout-400');
    const { token } = await client.signIn();
    expect((await client.post(LOGOUT, { token })).status).toBe(400);
    expect((await client.graphql(token, ME)).status).toBe(200);
  },

  async 'speckle-token-not-valid'() {
    const answers = await askTwice('speckle-token-not-valid');
    expect(answers.map(({ status }) => status)).toEqual([403, 403]);
    expect(answers[0].json).toEqual({ error: 'Your token is not valid.' });
  },
  async 'speckle-token-not-valid-once'() {
    const answers = await askTwice('speckle-token-not-valid-once');
    expect(answers.map(({ status }) => status)).toEqual([403, 200]);
    expect(answers[0].json).toEqual({ error: 'Your token is not valid.' });
  },
  async 'speckle-active-user-null'() {
    const [{ json }] = await askTwice('speckle-active-user-null');
    expect(json).toEqual({ data: { activeUser: null } });
  },
  async 'speckle-partial-data'() {
    const [{ status, json }] = await askTwice('speckle-partial-data');
    expect(status).toBe(200);
    expect(json.data).toEqual({ activeUser: { name: 'John Doe' } });
    expect(json.errors).toHaveLength(1);
  },
  'speckle-forbidden-scope': () =>
    failsWith('speckle-forbidden-scope', 'FORBIDDEN', { scope: 'streams:read' }),
  'speckle-unauthenticated': () => failsWith('speckle-unauthenticated', 'UNAUTHENTICATED'),
  'speckle-unauthorized': () => failsWith('speckle-unauthorized', 'UNAUTHORIZED'),
  'speckle-project-not-found': () => failsWith('speckle-project-not-found', 'STREAM_NOT_FOUND'),
  'speckle-sso-session-missing': () =>
    failsWith('speckle-sso-session-missing', 'SSO_SESSION_MISSING_OR_EXPIRED_ERROR'),
  async 'speckle-429-fractional-once'() {
    const [first, second] = await askTwice('speckle-429-fractional-once');
    expect([first.status, first.header('retry-after'), second.status]).toEqual([429, '0.25', 200]);
    expect(first.header('x-ratelimit-reset')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(first.json.error.code).toBe('RATE_LIMIT_ERROR');
  },
  async 'speckle-429-resolver-once'() {
    const [first, second] = await askTwice('speckle-429-resolver-once');
    expect([first.status, second.status]).toEqual([429, 200]);
    expect(first.json.errors[0].extensions.code).toBe('RATE_LIMIT_ERROR');
  },
  async 'speckle-cursor-for-ever'() {
    const client = startWith('speckle-cursor-for-ever');
    const { token } = await client.signIn();
    const page = async (cursor?: string) => {
      const answer = await client.post(
        GRAPHQL,
        { query: PROJECTS, variables: { limit: 3, cursor } },
        token,
      );
      return answer.json.data.activeUser.projects;
    };
    const first = await page();
    expect(await page(first.cursor)).toEqual(first);
    expect((await client.graphql(token, ME)).json.data.activeUser).toEqual({ name: 'John Doe' });
  },
};
