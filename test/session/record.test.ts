import fc from 'fast-check';
import {
  formatAttempts,
  formatSession,
  parseAttempts,
  parseSession,
  type StoredAttempt,
  type StoredSession,
} from '../../src/session/record.js';
import { anyCharacter } from '../support/any-character.js';

const SESSION: StoredSession = {
  accessToken: 'access',
  refreshToken: 'refresh',
  lifetimeMs: 3_600_000,
  scopes: ['read'],
  carried: null,
  receivedAtMs: 1_700_000_000_000,
  revision: 'r1',
  signInId: 'i1',
  identity: null,
};
const ATTEMPT: StoredAttempt = {
  state: 's1',
  codeVerifier: 'v1',
  redirectUri: 'https://plug-in.example/callback',
  startedAtMs: 1_000,
  expiresAtMs: 301_000,
};

const text = fc.string({ minLength: 1, unit: anyCharacter });
/** As RFC 6750 section 2.1 allows: what fits into a header. */
const token = fc.string({
  minLength: 1,
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
});
// JSON knows no negative zero.
const time = fc.double({ noNaN: true, noDefaultInfinity: true }).map((ms) => ms + 0);
const PLAIN = { noNullPrototype: true } as const;
const sessions: fc.Arbitrary<StoredSession> = fc.record(
  {
    accessToken: token,
    refreshToken: fc.option(token),
    lifetimeMs: fc.option(time),
    scopes: fc.array(fc.string()),
    carried: fc.option(fc.dictionary(fc.stringMatching(/^[a-z]\w*$/), fc.string(), PLAIN)),
    receivedAtMs: time,
    revision: text,
    signInId: fc.string(),
    identity: fc.option(text),
  },
  PLAIN,
);
const attempts: fc.Arbitrary<StoredAttempt> = fc.record(
  {
    state: text,
    codeVerifier: text,
    redirectUri: text,
    startedAtMs: time,
    expiresAtMs: time,
  },
  PLAIN,
);

/** A record with some fields made into something else, or left out: almost right is the dangerous kind. */
const nearly = <T extends object>(right: T) =>
  fc
    .record(
      Object.fromEntries(
        Object.entries(right).map(([name, value]) => [
          name,
          fc.oneof({ weight: 3, arbitrary: fc.constant(value) }, fc.jsonValue()),
        ]),
      ),
      { requiredKeys: [] },
    )
    .map((fields): unknown => fields);

/** A session and nothing beside it, or `null`: there is no third thing. */
function expectSessionOrNull(parsed: StoredSession | null): void {
  if (parsed === null) return;
  const { lifetimeMs, refreshToken, scopes } = parsed;
  const wanted = {
    accessToken: expect.stringMatching(/^[^]+$/),
    carried: parsed.carried === null ? null : expect.any(Object),
    identity: parsed.identity === null ? null : expect.stringMatching(/^[^]+$/),
    lifetimeMs: lifetimeMs === null ? null : expect.any(Number),
    receivedAtMs: expect.any(Number),
    refreshToken: refreshToken === null ? null : expect.stringMatching(/^[^]+$/),
    revision: expect.stringMatching(/^[^]+$/),
    scopes: expect.any(Array),
    signInId: expect.any(String),
  };
  expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  expect({ ...parsed }).toEqual(wanted);
  expect(Object.keys(parsed).sort()).toEqual(Object.keys(wanted));
  for (const scope of scopes) expect(typeof scope).toBe('string');
  for (const field of Object.values(parsed.carried ?? {})) expect(typeof field).toBe('string');
}

describe('a stored session', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(sessions, (session) => {
        expect(parseSession(formatSession(session))).toStrictEqual(session);
      }),
    );
  });

  test('case 187: any JSON is a session or null, and never a throw', () => {
    const json = fc.oneof(fc.jsonValue(), nearly(SESSION), fc.constant(SESSION));
    let sound = 0;
    fc.assert(
      fc.property(json, (value) => {
        const parsed = parseSession(JSON.stringify(value));
        expectSessionOrNull(parsed);
        if (parsed) sound += 1;
      }),
      { numRuns: 2_000, seed: 1 },
    );
    expect(sound).toBeGreaterThan(100);
  });

  test('case 187: any text is a session or null, and never a throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (any) =>
        expectSessionOrNull(parseSession(any)),
      ),
    );
  });

  test('case 187: cut off anywhere, it is null', () => {
    const whole = formatSession(SESSION);
    for (let length = 0; length < whole.length; length += 1) {
      expect(parseSession(whole.slice(0, length))).toBeNull();
    }
  });

  test('keeps nothing it does not know, a prototype least of all', () => {
    const more = '"extra":1,"__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}},';
    const parsed = parseSession(formatSession(SESSION).replace('{', `{${more}`));
    expect(parsed).toStrictEqual(SESSION);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  // prettier-ignore
  test.each<[string, object]>([
    ['no access token',            { accessToken: undefined }],
    ['an empty access token',      { accessToken: '' }],
    ['an access token in a list',  { accessToken: ['access'] }],
    ['an empty refresh token',     { refreshToken: '' }],
    ['a list that is carried',     { carried: ['x'] }],
    ['a number that is carried',   { carried: { code_verifier: 1 } }],
    ['a prototype that is carried', { carried: JSON.parse('{"__proto__":"x"}') }],
    ['no word on a refresh token', { refreshToken: undefined }],
    ['a lifetime in words',        { lifetimeMs: '3600000' }],
    ['no word on a lifetime',      { lifetimeMs: undefined }],
    ['scopes in one text',         { scopes: 'read write' }],
    ['scopes that are no texts',   { scopes: ['read', 1] }],
    ['scopes like a list',         { scopes: { 0: 'read', length: 1 } }],
    ['a time of arrival that is null',  { receivedAtMs: null }],
    ['a time of arrival in words', { receivedAtMs: '2026-11-22' }],
    ['no revision',                { revision: undefined }],
  ])('with %s is none', (_, fault) => {
    expect(parseSession(JSON.stringify(SESSION))).not.toBeNull();
    expect(parseSession(JSON.stringify({ ...SESSION, ...fault }))).toBeNull();
  });

  test.each(['receivedAtMs', 'lifetimeMs'])('with an endless %s is none', (name) => {
    const endless = JSON.stringify({ ...SESSION, [name]: 0 }).replace(
      `"${name}":0`,
      `"${name}":1e999`,
    );
    expect(parseSession(endless)).toBeNull();
  });
});

describe('stored attempts', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(attempts, { maxLength: 5 }), (all) => {
        expect(parseAttempts(formatAttempts(all, null, -Infinity))).toStrictEqual(all);
      }),
    );
  });

  test('case 187: any JSON is a list of sound attempts, and never a throw', () => {
    const list = fc.record({ attempts: fc.array(fc.oneof(nearly(ATTEMPT), fc.jsonValue())) });
    let sound = 0;
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), list), (value) => {
        for (const attempt of parseAttempts(JSON.stringify(value))) {
          sound += 1;
          expect(attempt).toMatchObject({
            state: expect.stringMatching(/^[^]+$/),
            codeVerifier: expect.stringMatching(/^[^]+$/),
            redirectUri: expect.stringMatching(/^[^]+$/),
            startedAtMs: expect.any(Number),
            expiresAtMs: expect.any(Number),
          });
        }
      }),
      { numRuns: 2_000, seed: 1 },
    );
    expect(sound).toBeGreaterThan(100);
  });

  test.each([
    [null],
    [''],
    ['\0\0'],
    ['null'],
    ['[]'],
    ['7'],
    ['{"attempts":{}}'],
    ['{"attempts":[null,7]}'],
  ])('%j holds none', (any) => expect(parseAttempts(any)).toEqual([]));

  test('one that is damaged does not hide the others', () => {
    const stored = JSON.stringify({ attempts: [{ ...ATTEMPT, state: 7 }, null, ATTEMPT] });
    expect(parseAttempts(stored)).toEqual([ATTEMPT]);
  });

  test('case 194: those that are over are forgotten when one is added', () => {
    const over = { ...ATTEMPT, state: 's0', expiresAtMs: 5_000 };
    const stored = formatAttempts([over, ATTEMPT], { ...ATTEMPT, state: 's2' }, 5_000);
    expect(parseAttempts(stored).map(({ state }) => state)).toEqual(['s1', 's2']);
  });

  test('case 194: there are five at most, the oldest give way', () => {
    let all: StoredAttempt[] = [];
    for (let count = 1; count <= 8; count += 1) {
      all = parseAttempts(formatAttempts(all, { ...ATTEMPT, state: `s${count}` }, 0));
    }
    expect(all.map(({ state }) => state)).toEqual(['s4', 's5', 's6', 's7', 's8']);
  });
});

test('the text holds the record and nothing a process knows beyond it', () => {
  const session = {
    accessToken: 'a',
    refreshToken: null,
    lifetimeMs: 1,
    scopes: [],
    receivedAtMs: 2,
    revision: 'r',
    signInId: 'i',
  };
  const held = {
    ...session,
    carried: null,
    identity: null,
    receivedMonotonicMs: 3,
    unsaved: null,
    storedRevision: 'q',
  };
  expect(JSON.parse(formatSession(held))).toEqual(session);
});
