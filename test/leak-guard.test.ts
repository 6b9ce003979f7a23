// The guard that watches over every test file (support/leak-guard-setup.ts) is shown leaks of every kind.
import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SPELLINGS, newSecret } from './support/canaries.js';
import { eachText } from './support/leak-guard.js';
import { createSearch, isMarked, likenessOf } from './support/leak-search.js';
import { anyCharacter } from './support/any-character.js';

const root = resolve(__dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'mortise-guard-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const node = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });

interface FileResult {
  readonly name: string;
  readonly status: string;
  /** Why the file failed. */
  readonly message: string;
  readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
}

describe('a run of tests that leak', () => {
  const secrets = join(folder, 'secrets');
  const reports = join(folder, 'reports');
  let results: readonly FileResult[];
  let status: number | null;

  beforeAll(() => {
    for (const path of [secrets, reports]) mkdirSync(path);
    const report = join(reports, 'report.json');
    const run = node(
      [
        ...[
          '--experimental-vm-modules',
          '--require',
          './.ci/tee.cjs',
          'node_modules/jest/bin/jest.js',
        ],
        ...['--testMatch', '**/test/fixtures/leaks/*.ts', '--runInBand', '--verbose=false'],
        ...['--json', `--outputFile=${report}`],
      ],
      { MORTISE_LEAKS: secrets, MORTISE_TOLD: join(reports, 'output.txt') },
    );
    ({ status } = run);
    results = (JSON.parse(readFileSync(report, 'utf8')) as { testResults: FileResult[] })
      .testResults;
  }, 60_000);

  const fileOf = (name: string) => results.find((one) => one.name.endsWith(name))!;
  const hidden = () =>
    readdirSync(secrets).flatMap(
      (name) =>
        (JSON.parse(readFileSync(join(secrets, name), 'utf8')) as { random: string[] }).random,
    );

  test('fails, although each of its tests passes', () => {
    expect(status).toBe(1);
    for (const { status, assertionResults } of results) {
      expect([status, assertionResults.length > 1]).toEqual(['failed', true]);
      expect(assertionResults.filter((one) => one.status !== 'passed')).toEqual([]);
    }
  });

  test('every leak is named, with what and where; and nothing else', () => {
    const { message, assertionResults } = fileOf('planted.ts');
    const told = [...message.matchAll(/^ *- (.*); test: (.*)$/gm)].map(
      ([, leak = '', test = '']) => ({ leak, test }),
    );
    const names = assertionResults.map(({ fullName }) => fullName);
    expect(names.length).toBeGreaterThan(70);
    const unseen = names.filter((name) => {
      const [leak = ''] = name.split(': ');
      const isFound = told.some((one) => one.test === name && one.leak.startsWith(leak));
      return isFound === name.startsWith('nothing');
    });
    expect(unseen).toEqual([]);
  });

  test('no secret is in what it says', () => {
    const search = createSearch(hidden());
    expect(hidden().length).toBeGreaterThan(70);
    for (const { message } of results) expect([...search(message)]).toEqual([]);
  });

  test('what would keep it from finding anything fails as well', () => {
    const { message } = fileOf('blind.ts');
    expect(message).toContain('client secret of 3 letters is too short');
    for (const what of ['authorization code', 'code verifier', 'access token']) {
      expect(message).toContain(`no ${what} was seen`);
    }
    expect(message).toContain('not listened to');
  });

  test('the last step finds what was printed, and says whose it is', () => {
    const { status, stderr } = node(['.ci/leaks.mjs', secrets, reports]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining(
        'output.txt holds a secret of test/fixtures/leaks/planted.ts',
      ),
    });
    expect([...createSearch(hidden())(stderr)]).toEqual([]);
  });

  test('the last step passes where nothing was printed, and fails where there was nothing to search for', () => {
    const clean = join(folder, 'clean');
    mkdirSync(clean);
    writeFileSync(join(clean, 'output.txt'), randomBytes(1000).toString('base64'));
    const passed = node(['.ci/leaks.mjs', secrets, clean]);
    expect(passed).toMatchObject({ status: 0, stderr: '' });
    expect(passed.stdout).toMatch(/^ {2}\d{2,} secrets in \d{2,} texts/);
    expect(node(['.ci/leaks.mjs', clean, clean]).status).toBe(1);
    writeFileSync(join(clean, 'marked.tap'), `# sEcReT-${randomBytes(4).toString('hex')}`);
    expect(node(['.ci/leaks.mjs', secrets, clean]).status).toBe(1);
  });
});

describe('the search', () => {
  // prettier-ignore
  test.each([
    ['a verifier',              'random',    randomBytes(32).toString('base64url')],
    ['a number',                'random',    randomBytes(12).toString('hex')],
    ['a canary',                'random',    newSecret('code')],
    ['a code of a sandbox',     'random',    `sandbox-code-${randomBytes(15).toString('base64url')}`],
    ['a word and a number',     'made up',   'access-1'],
    ['words',                   'made up',   'the-SECRET-of-the-app'],
    ['a letter',                'made up',   'a'.repeat(100)],
    ['an address',              'made up',   'https://evil.example/'],
    ['a short word',            'too short', 'good'],
    ['half a pair',             'too short', 'half a pair \ud800'],
  ] as const)('%s is %s', (_, likeness, secret) => {
    expect(likenessOf(secret)).toBe(likeness);
  });

  const arbitrarySecret = fc.oneof(
    fc
      .uint8Array({ minLength: 18, maxLength: 64 })
      .map((bytes) => Buffer.from(bytes).toString('base64')),
    fc.string({ minLength: 8, maxLength: 40, unit: anyCharacter }),
  );

  test('finds each of many, in every spelling, in the middle of anything', () => {
    const spell = fc.constantFrom(...Object.values(SPELLINGS));
    const property = fc.property(
      fc.uniqueArray(arbitrarySecret, { minLength: 1, maxLength: 20 }),
      ...[fc.string(), fc.string()],
      fc.nat(),
      spell,
      (secrets, before, after, which, spelled) => {
        const secret = secrets[which % secrets.length]!;
        if (likenessOf(secret) !== 'random') return;
        expect(createSearch(secrets)(`${before}${spelled(secret)}${after}`)).toContain(secret);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  test('finds no more than a slow search does', () => {
    const property = fc.property(
      fc.uniqueArray(fc.stringMatching(/^[ab]{8,12}$/), { minLength: 1, maxLength: 10 }),
      fc.array(fc.stringMatching(/^[ab]{1,14}$/), { maxLength: 20 }),
      (names, words) => {
        const found = createSearch(names)(words.join(' '));
        expect(found).toEqual(new Set(names.filter((name) => words.includes(name))));
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  test('what is marked', () => {
    expect(isMarked(`{"error":"sEcReT-access-1"}`)).toBe(true);
    const claims = Buffer.from(' {"use":"access","clientId":"a","subject":"user"}').toString(
      'base64url',
    );
    const token = `sandbox.${claims}.0123456789ab`;
    for (const text of [token, `a:${token}`, `ab:${token}`, `abc:${token}`]) {
      expect([isMarked(text), isMarked(Buffer.from(text).toString('base64'))]).toEqual([
        true,
        true,
      ]);
    }
    expect(isMarked('https://sandbox.example/sandbox-code/sandbox.html')).toBe(false);
  });
});

test('an object is read to its last corner, and one without an end is left', () => {
  const read = (value: object): string[] => {
    const texts: string[] = [];
    eachText(value, (text) => texts.push(text));
    return texts;
  };
  const corner: Record<PropertyKey, unknown> = { a: [{ b: new Map([['c', new Set(['d'])]]) }] };
  Object.defineProperty(corner, 'e', { value: { [Symbol('f')]: 'g' } });
  Object.defineProperty(corner, 'h', {
    get() {
      throw new Error('no');
    },
  });
  corner['i'] = corner;
  const texts = ['a', 'b', 'c', 'd', 'e', 'Symbol(f)', 'g', 'h', 'i'];
  expect(read(corner)).toEqual(expect.arrayContaining(texts));
  const endless = (): object => Object.defineProperty({}, 'next', { get: endless });
  expect(read(endless()).length).toBeGreaterThan(100);
});
