import { createHash } from 'node:crypto';
import { isMortiseError } from 'mortise';
import { everyPrintOf } from '../api/support/failure.js';
import type { Reply, SentRequest } from '../api/support/scripted-http.js';
import { SPELLINGS, leaks, newSecret, tracesOf } from '../support/canaries.js';
import { callsOf } from './support/calls.js';
import { json } from './support/fake-host.js';
import { createStage, type Kind, type Stage } from './support/stage.js';
import { EVERY_WAY, files, type Way } from './support/ways.js';

const NAMES = ['clientSecret', 'code', 'codeVerifier', 'accessToken', 'refreshToken'] as const;
type SecretName = (typeof NAMES)[number];

type Spell = (secret: string) => string;
type Part = 'headers' | 'body';

/** Where the protocol demands a secret. In an address it never does. */
// prettier-ignore
const ALLOWED: Readonly<Record<Kind, Readonly<Record<Part, readonly SecretName[]>>>> = {
  document:   { headers: [],               body: [] },
  token:      { headers: ['clientSecret'], body: ['clientSecret', 'code', 'codeVerifier', 'refreshToken'] },
  revocation: { headers: ['clientSecret'], body: ['clientSecret', 'accessToken', 'refreshToken'] },
  api:        { headers: ['accessToken'],  body: [] },
};

const verifierIn = ({ body }: SentRequest): string | undefined =>
  body.startsWith('{')
    ? (JSON.parse(body) as { codeVerifier?: string }).codeVerifier
    : (new URLSearchParams(body).get('code_verifier') ?? undefined);

/** A stage whose secrets are unlike anything else. */
async function createSecretStage(way: Way) {
  const clientSecret = newSecret('client');
  const code = newSecret('code');
  const stage = await createStage(way, { clientSecret, code, newToken: newSecret });
  const secrets = (): ReadonlyMap<SecretName, ReadonlySet<string>> =>
    new Map([
      ['clientSecret', new Set([clientSecret])],
      ['code', new Set([code])],
      ['codeVerifier', new Set(stage.sent.flatMap((request) => verifierIn(request) ?? []))],
      ['accessToken', new Set(stage.issued.map(({ accessToken }) => accessToken))],
      ['refreshToken', new Set(stage.issued.map(({ refreshToken }) => refreshToken))],
    ]);
  return { stage, secrets, clientSecret, code };
}

/** A sign-in in one and in two halves, every call, two renewals, one asked for by the API, and a sign-out. */
async function live(stage: Stage, exhibits: unknown[]): Promise<void> {
  const { session, clock, ending, way } = stage;
  const keep = (work: Promise<unknown>) =>
    work.then(
      () => exhibits.push(session.state),
      (error: unknown) => exhibits.push(error, session.state),
    );
  session.onChange((change) => exhibits.push(change, session.state));
  await keep(stage.signIn());
  if (way.mode !== 'service') await keep(stage.signInByHalves());
  for (const [, call] of await callsOf(stage)) await keep(ending(call()));
  await clock.advance(3_600_000);
  await keep(stage.renew());
  if (way.isRenewable) {
    let refusals = 1;
    stage.answers = {
      api: (request) => (!stage.isBase(request) && refusals-- > 0 ? { status: 401 } : undefined),
    };
    for (const [, call] of await callsOf(stage)) await keep(ending(call()));
  }
  const next = stage.again();
  await keep(ending(next.restore()));
  exhibits.push(next, next.api);
  await next.close();
  await keep(ending(session.signOut()));
  exhibits.push(session, session.api, stage.provider);
  await session.close();
}

/** Which secrets are somewhere they do not belong. */
function misplaced(stage: Stage, secrets: ReadonlyMap<SecretName, ReadonlySet<string>>): string[] {
  const traces = new Map([...secrets].map(([name, all]) => [name, [...all].flatMap(tracesOf)]));
  const holds = (text: string, name: SecretName) =>
    traces.get(name)?.some((trace) => text.includes(trace));
  return stage.sent.flatMap((request) => {
    const kind = stage.kindOf(request);
    const texts = { headers: JSON.stringify(request.headers), body: request.body };
    const place = `${kind} ${request.method} ${new URL(request.url).pathname}`;
    return NAMES.flatMap((name) => [
      ...(holds(request.url, name) ? [`${name} in the address of ${place}`] : []),
      ...(['headers', 'body'] as const)
        .filter((part) => !ALLOWED[kind][part].includes(name) && holds(texts[part], name))
        .map((part) => `${name} in the ${part} of ${place}`),
    ]);
  });
}

describe.each(EVERY_WAY)('%s: when all goes well', (_, way) => {
  let stage: Stage;
  let secrets: ReadonlyMap<SecretName, ReadonlySet<string>>;
  const exhibits: unknown[] = [];

  beforeAll(async () => {
    const made = await createSecretStage(way);
    stage = made.stage;
    await live(stage, exhibits);
    secrets = made.secrets();
  });

  test('there were secrets to find', () => {
    const kinds = new Set(stage.sent.map(stage.kindOf));
    expect(kinds).toContain('token');
    expect(kinds).toContain('api');
    expect(secrets.get('accessToken')!.size).toBeGreaterThan(way.isRenewable ? 2 : 1);
  });

  test('case 197: no secret is in anything a program can print', () => {
    expect(leaks(exhibits, secrets)).toEqual([]);
  });

  test('each secret is sent only where the protocol demands it', () => {
    expect(misplaced(stage, secrets)).toEqual([]);
  });

  test('no secret is in an address the user is sent to, and no challenge in any other', () => {
    expect(leaks([...stage.shown], secrets)).toEqual([]);
    const challenges = [...secrets.get('codeVerifier')!].map((verifier) =>
      createHash('sha256').update(verifier).digest('base64url'),
    );
    const addresses = stage.sent.map(({ url }) => url).join('\n');
    expect(challenges.filter((challenge) => addresses.includes(challenge))).toEqual([]);
  });

  test('an access token goes to the API alone, as a bearer, and only to the platform’s hosts', () => {
    const tokens = secrets.get('accessToken')!;
    for (const request of stage.sent) {
      const { authorization = '' } = request.headers;
      const isApi = stage.kindOf(request) === 'api';
      expect(authorization.startsWith('Bearer ')).toBe(isApi);
      if (!isApi) continue;
      expect(tokens).toContain(authorization.slice('Bearer '.length));
      expect([request.url, stage.isPlatform(request.url)]).toEqual([request.url, true]);
    }
  });
});

/** What a server says about what it was sent, in the words of every platform at once. */
const quoting = (words: string): readonly object[] => [
  { error: 'invalid_request', error_description: words, error_uri: words },
  { error: words, error_description: words },
  { error: { code: words, message: words }, message: words },
  {
    err: words,
    message: words,
    errorCode: words,
    developerMessage: words,
    'error-code': words,
    'error-message': words,
    data: null,
    errors: [{ message: words, extensions: { code: words } }],
    meta: { warnings: [{ Title: words, Detail: words }] },
  },
  { data: [], meta: { warnings: [{ Title: words, Detail: words }] } },
];

/** The way of each provider that has most to hide. */
const ONE_EACH = files.map((file) =>
  [...EVERY_WAY].reverse().find(([, way]) => way.file === file && way.mode !== 'service')!,
);

/** Whether an error says, in whatever spelling, what it should not. */
const repeats = (error: unknown, secret: string): boolean => {
  const text = isMortiseError(error) ? everyPrintOf(error) : '';
  return tracesOf(secret).some((trace) => text.includes(trace));
};

describe.each(ONE_EACH)('case 198: %s: no error repeats what is quoted', (_, way) => {
  const offenders: unknown[] = [];
  afterEach(() => {
    expect(offenders.splice(0)).toEqual([]);
  });

  test.each(Object.entries(SPELLINGS))('%s, by the token endpoint', async (__, spell) => {
    const { stage, clientSecret, code } = await createSecretStage(way);
    for (const known of [() => clientSecret, () => code, verifierIn]) {
      for (let which = 0; which < quoting('').length; which += 1) {
        let secret = '';
        const answer = (request: SentRequest) => {
          secret = known(request) ?? '';
          return json(quoting(spell(secret))[which], 400);
        };
        stage.answers = { token: answer };
        const error: unknown = await stage.signInByHalves().catch((failure: unknown) => failure);
        if (secret && repeats(error, secret)) offenders.push(error);
      }
    }
    await stage.session.close();
  });

  if (way.isRenewable) {
    test.each(Object.entries(SPELLINGS))(
      '%s, by the token endpoint at a renewal',
      async (__, spell) => {
        const { stage } = await createSecretStage(way);
        for (let which = 0; which < quoting('').length; which += 1) {
          stage.answers = {};
          await stage.signIn();
          await stage.clock.advance(3_600_000);
          const { refreshToken } = stage.issued.at(-1)!;
          stage.answers = { token: () => json(quoting(spell(refreshToken))[which], 400) };
          const error: unknown = await stage.renew().catch((failure: unknown) => failure);
          const told = stage.changes.map((change) => change.error);
          offenders.push(...[error, ...told].filter((each) => repeats(each, refreshToken)));
        }
        await stage.session.close();
      },
    );
  }

  /** Asks the API all there is to ask, answered by each of the replies. */
  async function askAll(replies: (words: string) => readonly Reply[], spell: Spell) {
    const { stage } = await createSecretStage(way);
    await stage.signIn();
    const { accessToken } = stage.issued[0]!;
    const calls = await callsOf(stage);
    for (const reply of replies(spell(accessToken))) {
      stage.answers = { api: (request) => (stage.isBase(request) ? undefined : reply) };
      for (const [, call] of calls) {
        const error: unknown = await stage.ending(call()).catch((failure: unknown) => failure);
        if (repeats(error, accessToken)) offenders.push(error);
      }
    }
    await stage.session.close();
  }

  test.each(Object.entries(SPELLINGS))('%s, by the API', async (__, spell) => {
    await askAll((words) => quoting(words).flatMap((body) => [json(body), json(body, 403)]), spell);
  });

  test('in any spelling, by the API as the scope that is missing', async () => {
    const replies = (words: string) => [
      {
        status: 403,
        headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${words}"` },
      },
      json({ data: null, errors: [{ extensions: { code: 'FORBIDDEN', scope: words } }] }),
    ];
    for (const spell of Object.values(SPELLINGS)) await askAll(replies, spell);
  });
});
