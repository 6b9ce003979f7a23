// Runs before every test file, and has the last word after it: nothing that was secret there was told to anybody.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createLeakGuard, type Leak, type Secret } from './leak-guard.js';
import { watchSecrets, watchWords } from './leak-guard-library.js';
import { watchProcess } from './leak-guard-process.js';

/** Told on purpose, to show that a search finds it. `test` is how the test's name ends. */
const MEANT: readonly (Pick<Leak, 'where' | 'test'> & { readonly file: string })[] = [
  {
    file: 'errors.test.ts',
    where: 'an error (network_error)',
    test: 'would be seen if there were one',
  },
  // The search itself is shown what it has to find.
  { file: 'leak-guard.test.ts', where: 'a file', test: '' },
  // No error must repeat the address that this test itself asks for.
  { file: 'errors.test.ts', where: 'the address of a request', test: 'a connection that is reset' },
];

/**
 * Secrets of fewer than eight letters, which would be found everywhere and are not searched for. No new ones: a test
 * takes `newSecret`, or a name that is long and unlike a word.
 */
const TOO_SHORT =
  /^(\w{1,2}|ann|bob|carol|any|new|old|late|next|only|same|evil|good|code|first|second|broad|narrow|wrong|secret|s3cret|another|foreign|theirs|garbage|access|refresh|\.\.\.|abc==|a\/b c|4\/0a\+b=|(code|good)-\d+)$/;

/** Property tests of how text is read and written: any text at all may be a secret there, and anything else. */
const ANY_TEXT: readonly string[] = [
  'oauth/token-request.test.ts',
  'oauth/token-response.test.ts',
  'providers/every-provider-any-answer.test.ts',
  'session/record.test.ts',
];

const { testPath = '' } = expect.getState();
const file = relative(resolve(__dirname, '..'), testPath).replaceAll('\\', '/');

let currentTest = 'none';
beforeEach(() => {
  currentTest = expect.getState().currentTestName ?? 'none';
});

export const guard = createLeakGuard(() => currentTest);
watchSecrets(guard);
watchWords(guard);
const stopWatching = watchProcess(guard);

// An error may be added to until its test is over.
afterEach(guard.look);

afterAll(() => {
  stopWatching();
  const isMeant = ({ where, test }: Leak) =>
    MEANT.some((it) => it.file === file && it.where === where && test.endsWith(it.test));
  const problems = [
    ...guard
      .takeLeaks({ onlyRandom: ANY_TEXT.includes(file) })
      .filter((leak) => !isMeant(leak))
      .map(({ what, where, test }) => `${what} in ${where}; test: ${test}`),
    ...blindness(),
  ];
  leaveSecrets();
  if (problems.length > 0) throw new Error(`Told, and secret:\n- ${problems.join('\n- ')}`);
});

/** Why nothing might have been found. */
function blindness(): string[] {
  const { states, toldCount, likeness, holds, whatIs } = guard;
  const shorts = likeness('too short').filter((secret) => !TOO_SHORT.test(secret));
  const tellShort = (secret: string) => {
    const { what, test } = whatIs(secret) ?? {};
    return `perhaps: ${what} of ${secret.length} letters is too short to search for (TOO_SHORT); test: ${test}`;
  };
  const lacks = (what: Secret, ...after: string[]) =>
    ['a session', ...after].every((state) => states.has(state)) && !holds(what)
      ? [`perhaps: a session was ${after.at(-1)}, and no ${what} was seen to search for`]
      : [];
  return [
    ...(ANY_TEXT.includes(file) ? [] : shorts.map(tellShort)),
    // A device has neither.
    ...(holds('device code') ? [] : lacks('authorization code', 'authorizing', 'exchanging')),
    ...(holds('device code') ? [] : lacks('code verifier', 'authorizing', 'exchanging')),
    ...lacks('access token', 'signedIn'),
    ...(states.has('a session') && toldCount === 0
      ? ['perhaps: a session was not listened to']
      : []),
  ];
}

/** For the last step of `npm test`, which reads what was printed. Its folder is this user's alone, and goes then. */
function leaveSecrets(): void {
  const folder = process.env['MORTISE_LEAKS'];
  if (!folder) return;
  const counts = { told: guard.toldCount, madeUp: guard.likeness('made up').length };
  const left = { ...counts, tooShort: guard.likeness('too short').length };
  const text = JSON.stringify({ file, ...left, random: guard.likeness('random') });
  const name = `${randomBytes(8).toString('hex')}.json`;
  writeFileSync(join(folder, name), text, { flag: 'wx', mode: 0o600 });
}
