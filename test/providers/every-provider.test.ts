import { createSession, isMortiseError, type ErrorDetails } from 'mortise';
import { everyPrintOf, failureOf } from '../api/support/failure.js';
import { createFakeHost, json } from './support/fake-host.js';
import { createStage, type Answer, type Stage } from './support/stage.js';
import { EVERY_WAY, INVALID_GRANT, WAYS, files, rfc6749, tellsLifetime } from './support/ways.js';
import type { Issued, Way } from './support/ways.js';

type Failure = { readonly [C in keyof ErrorDetails]?: object };
type Outcome = 'tokens' | 'tokens of unknown lifetime' | Failure;
type Row = readonly [
  name: string,
  answer: (issued: Issued, way: Way) => Answer,
  outcome: Outcome | ((way: Way) => Outcome),
];

const html = (status: number): Answer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: '<html><title>Welcome to the Wi-Fi</title>',
});
const MALFORMED: Failure = { malformed_response: { status: 200 } };
const untyped = (issued: Issued) => ({ ...rfc6749(issued), token_type: undefined });
/** Typed as the RFC has it, so that it is the names alone that are refused. */
const camelCase = (issued: Issued) => ({ ...issued, token_type: 'Bearer' });
const short = ({ accessToken: token, refreshToken }: Issued) => ({
  token,
  refreshToken,
  token_type: 'Bearer',
});
const own = (issued: Issued, way: Way) => way.tokens(issued);

/** What token endpoints were seen to answer in the field; "its own" is what its documents print. */
// prettier-ignore
const ANSWERS: readonly Row[] = [
  ['its own reply',                   (issued, way) => json(own(issued, way)),                       (way) => (tellsLifetime(way) ? 'tokens' : 'tokens of unknown lifetime')],
  ['the reply of RFC 6749',           (issued) => json(rfc6749(issued)),                             'tokens'],
  ['no token_type',                   (issued) => json(untyped(issued)),                             (way) => (way.departures.includes('no token_type') ? 'tokens' : MALFORMED)],
  ['camelCase',                       (issued) => json(camelCase(issued)),                           (way) => (way.departures.includes('camelCase') ? 'tokens' : MALFORMED)],
  ['{ token, refreshToken }',         (issued) => json(short(issued)),                               (way) => (way.departures.includes('token and refreshToken') ? 'tokens of unknown lifetime' : MALFORMED)],
  ['tokens one level further down',   (issued, way) => json({ token_type: 'Bearer', data: own(issued, way) }),             MALFORMED],
  ['200 with hasError: true',         (issued, way) => json({ ...own(issued, way), hasError: true }), { oauth_error: { status: 200 } }],
  ['a lifetime below zero',           (issued) => json({ ...rfc6749(issued), expires_in: -1752054750 }), 'tokens of unknown lifetime'],
  ['201 instead of 200',              (issued) => json(rfc6749(issued), 201),                        'tokens'],
  ['400 invalid_grant',               () => INVALID_GRANT,                                           { invalid_grant: { status: 400, error: 'invalid_grant' } }],
  ['401 invalid_client',              () => json({ error: 'invalid_client' }, 401),                  { invalid_client: { status: 401, error: 'invalid_client' } }],
  ['502 in HTML',                     () => html(502),                                               { http_error: { status: 502 } }],
  ['200 in HTML, a captive portal',   () => html(200),                                               MALFORMED],
  ['a connection that is reset',      () => 'no answer',                                             { network_error: { host: expect.any(String) } }],
  ['nothing, for ever',               () => 'silence',                                               { timeout: { timeoutMs: 30_000 } }],
];

/** Its own words for "this code, or this refresh token, is good no more". */
const refusals = (way: Way, step: 'exchange' | 'refresh'): readonly Row[] =>
  way
    .spent(step)
    .map(({ status, body }) => [
      `its own refusal, ${String(body)}`,
      () => ({ status, body }) as Answer,
      { invalid_grant: { status, error: 'invalid_grant' } },
    ]);

const failing = (failure: Failure) => {
  const [[code, details] = []] = Object.entries(failure);
  return expect.objectContaining({
    name: 'MortiseError',
    code,
    details: expect.objectContaining(details),
  });
};

let stage: Stage;

/** From now on the token endpoint answers in this one way. */
function answerWith([, answer, outcome]: Row): Outcome {
  const { way } = stage;
  stage.answers = { token: () => answer(stage.issue(), way) };
  return typeof outcome === 'function' ? outcome(way) : outcome;
}

async function expectTokens(outcome: 'tokens' | 'tokens of unknown lifetime'): Promise<void> {
  const { session, clock, issued } = stage;
  const expiresAtMs = outcome === 'tokens' ? clock.nowMs() + 3_600_000 : null;
  expect(session.state).toMatchObject({ name: 'signedIn', expiresAtMs });
  expect(await session.getAccessToken()).toBe(issued.at(-1)!.accessToken);
}

const errorsTold = () => stage.changes.flatMap(({ error = [] }) => error);
const tokenRequests = () => stage.sent.filter((request) => stage.kindOf(request) === 'token');

test('every provider can be signed in to in one way or another', () => {
  expect(files.filter((file) => !WAYS.some((way) => way.file === file))).toEqual([]);
});

describe.each(EVERY_WAY)('%s', (_, way) => {
  beforeEach(async () => {
    stage = await createStage(way);
  });
  afterEach(async () => {
    await stage.session.close();
    expect(stage.clock.pending).toBe(0);
  });

  const isService = way.mode === 'service';
  const halves = isService ? [] : (['signInByHalves'] as const);
  describe.each(['signIn' as const, ...halves])('at %s, when the answer is', (how) => {
    const rows = [...ANSWERS, ...refusals(way, isService ? 'refresh' : 'exchange')];
    test.each(rows)('%s', async (...row) => {
      const outcome = answerWith(row);
      // Where no state comes back, a code that is refused was perhaps no answer to this request.
      const waitsOn =
        how === 'signIn' &&
        stage.provider.dialect.state === 'not repeated' &&
        /not found|mismatch/.test(String(row[0]));
      if (typeof outcome === 'string') {
        await stage[how]();
        await expectTokens(outcome);
      } else {
        const error = await failureOf(stage[how]());
        expect(error).toEqual(
          failing(waitsOn ? { sign_in_timeout: { timeoutMs: 300_000 } } : outcome),
        );
        expect(errorsTold()).toEqual([error]);
        expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'never' });
      }
      // Case 112: a code is good for one request, whatever comes of it.
      expect(tokenRequests()).toHaveLength(1);
    });
  });

  if (!way.isRenewable) {
    test('cannot be renewed: a newer token needs a new sign-in, and nothing is asked', async () => {
      await stage.signIn();
      expect((await failureOf(stage.renew())).code).toBe('sign_in_required');
      expect(tokenRequests()).toHaveLength(1);
      expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
    });
    return;
  }

  describe('at a renewal, when the answer is', () => {
    beforeEach(async () => {
      await stage.signIn();
      await stage.clock.advance(3_600_000);
    });

    test.each([...ANSWERS, ...refusals(way, 'refresh')])('%s', async (...row) => {
      const outcome = answerWith(row);
      const [first] = stage.issued;
      const given = await stage.renew().catch((error: unknown) => error);
      expect(tokenRequests()).toHaveLength(2);
      if (typeof outcome === 'string') return expectTokens(outcome);

      const told = errorsTold();
      expect(told).toEqual([failing(outcome)]);
      stage.answers = {};
      if ('invalid_grant' in outcome) {
        expect(given).toMatchObject({ code: 'sign_in_required', cause: told[0] });
        expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
        // Said once, and not asked again: without a user there is nobody to ask, so it is.
        const next = await stage.renew().catch((error: unknown) => error);
        if (isService) expect(next).toBe(stage.issued.at(-1)!.accessToken);
        else expect(next).toMatchObject({ code: 'sign_in_required' });
        expect(tokenRequests()).toHaveLength(isService ? 3 : 2);
        expect(errorsTold()).toEqual(told);
        return;
      }
      // A token that may still be good is better than none.
      expect(given).toEqual(tellsLifetime(way) ? told[0] : first!.accessToken);
      expect(stage.session.state.name).toBe('degraded');
      expect(await stage.renew()).toBe(stage.issued.at(-1)!.accessToken);
      expect(stage.session.state.name).toBe('signedIn');
    });
  });
});

describe('a client secret in a host that cannot keep it', () => {
  const withSecret = EVERY_WAY.filter(([, { mode }]) => mode !== 'public');

  test.each(withSecret)('%s: no session is made', (_, way) => {
    const host = createFakeHost('public');
    const secret = 'SECRET-of-the-client';
    let failure: unknown;
    try {
      createSession({ host, provider: way.create(secret) });
    } catch (error) {
      failure = error;
    }
    expect(failure).toEqual(failing({ configuration_error: {} }));
    expect(isMortiseError(failure) && everyPrintOf(failure)).not.toContain(secret);
    expect([host.sent, host.shown, host.clock.pending]).toEqual([[], [], 0]);
  });
});
