import fc from 'fast-check';
import { readRefusal, refusalError } from '../../src/oauth/refusal.js';
import { anyCharacter } from '../support/any-character.js';

const describeWith = (error_description: unknown, secrets: readonly string[] = []) =>
  readRefusal({ error_description }, secrets).errorDescription;

describe('the server’s words', () => {
  test('are kept when they are fit to be shown', () => {
    const fields = { error: 'invalid_scope', error_description: 'Ask for "less", please.' };
    expect(readRefusal(fields, [], 400)).toEqual({
      status: 400,
      error: 'invalid_scope',
      errorDescription: 'Ask for "less", please.',
    });
  });

  // prettier-ignore
  test.each<[name: string, fields: object]>([
    ['absent',     {}],
    ['null',       { error: null, error_description: null }],
    ['empty',      { error: '', error_description: '' }],
    ['a number',   { error: 42, error_description: 42 }],
    ['an array',   { error: ['invalid_grant'], error_description: ['no'] }],
    ['an object',  { error: { code: 'invalid_grant' }, error_description: { toString: 1 } }],
  ])('that are %s are left out', (_, fields) => {
    expect(readRefusal(fields, [])).toEqual({});
  });

  test('nothing else of the answer is taken', () => {
    const fields = {
      error: 'x',
      error_uri: 'https://evil.example',
      access_token: 'at',
      state: 's',
    };
    expect(readRefusal(fields, [])).toEqual({ error: 'x' });
  });

  // prettier-ignore
  test.each([
    ['CRLF',             'a\r\nb',                  'a b'],
    ['NUL',              'a\0b',                    'a b'],
    ['a colour code',    'a\x1b[31mb',              'a [31mb'],
    ['DEL',              'a\x7fb',                  'a b'],
    ['C1 controls',      'a\x9bb',                  'a b'],
    ['the other way round', 'a\u202eb',             'a b'],
    ['no-break blank',   'a\u00a0b',                'a b'],
    ['a line separator', 'a\u2028b',                'a b'],
    ['letters beyond',   'größe',                   'gr e'],
    ['half a pair',      'a\ud800b',                'a b'],
  ])('%s becomes a blank', (_, text, shown) => {
    expect(describeWith(text)).toBe(shown);
  });

  test('are cut: the error at 60 characters, its description at 200', () => {
    const { error, errorDescription } = readRefusal(
      { error: 'e'.repeat(1_000), error_description: 'd'.repeat(1_000_000) },
      [],
    );
    expect([error?.length, errorDescription?.length]).toEqual([60, 200]);
  });
});

describe('secrets of the request', () => {
  // prettier-ignore
  test.each([
    ['once',               'code c0de is used up',  'code … is used up'],
    ['every time',         'c0de c0dec0de',         '… ……'],
    ['two of them',        'c0de with s3cret',      '… with …'],
    ['alone',              'c0de',                  '…'],
    ['beyond the cut',     `${'word '.repeat(39)}c0dec0de`, `${'word '.repeat(39)}……`],
    ['in another spelling', 'bad YzBkZS1jMGRlLWMwZGUtYzBkZQ', 'bad …'],
    ['beside controls',    '\nc0de\n',              ' … '],
  ])('are removed: %s', (_, text, shown) => {
    expect(describeWith(text, ['c0de', 's3cret'])).toBe(shown);
    expect(readRefusal({ error: 'c0de' }, ['c0de'])).toEqual({ error: '…' });
  });

  test('an empty one removes nothing', () => {
    expect(describeWith('as it was', ['', ''])).toBe('as it was');
  });

  test('a code or secret full of signs is removed literally', () => {
    expect(describeWith('code 4/0a+b.*(c)$& ok', ['4/0a+b.*(c)$&'])).toBe('code … ok');
    expect(describeWith('abc', ['.'])).toBe('abc');
  });

  test('one that begins like another goes whole', () => {
    expect(describeWith('no: s3cret-longer', ['s3cret', 's3cret-longer'])).toBe('no: …');
  });

  test('case 199: one that comes back as it was sent, form-encoded', () => {
    const code = '4/0AdQt8qh+b=';
    const sent = new URLSearchParams({ code }).toString();
    expect(describeWith(`bad request: ${sent}`, [code])).not.toContain('0AdQt8qh');
    expect(describeWith(`bad request: ${encodeURIComponent(code)}`, [code])).not.toContain(
      '0AdQt8qh',
    );
  });

  test('none is ever shown, wherever it was', () => {
    const secret = fc.stringMatching(/^[\w~./+-]{8,40}$/);
    const noise = fc.string({ maxLength: 250 });
    fc.assert(
      fc.property(secret, secret, noise, noise, noise, (one, two, before, between, after) => {
        const text = before + one + between + two + after;
        const shown = readRefusal({ error: text, error_description: text }, [one, two]);
        expect(JSON.stringify(shown)).not.toContain(one);
        expect(JSON.stringify(shown)).not.toContain(two);
      }),
    );
  });
});

test('whatever comes is printable, short, or left out', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: anyCharacter, maxLength: 400 }),
      fc.anything(),
      (text, anything) => {
        const { error = 'x', errorDescription = 'x' } = readRefusal(
          { error: text, error_description: anything },
          ['secret'],
        );
        expect(error).toMatch(/^[ -~…]{1,60}$/);
        expect(errorDescription).toMatch(/^[ -~…]{1,200}$/);
      },
    ),
  );
});

describe('case 118: the code of a refusal', () => {
  // prettier-ignore
  test.each<[error: string | undefined, code: string, retryable: boolean]>([
    ['access_denied',           'access_denied',  false],
    ['invalid_grant',           'invalid_grant',  false],
    ['invalid_client',          'invalid_client', false],
    ['temporarily_unavailable', 'oauth_error',    true],
    ['server_error',            'oauth_error',    true],
    ['slow_down',               'oauth_error',    true],
    ['network_error',           'oauth_error',    false],
    ['__proto__',               'oauth_error',    false],
    [undefined,                 'oauth_error',    false],
  ])('%s is %s', (error, code, retryable) => {
    const details = error === undefined ? {} : { error };
    expect(refusalError(details, (asked) => `hint for ${asked}`)).toMatchObject({
      name: 'MortiseError',
      code,
      retryable,
      details,
      hint: `hint for ${code}`,
    });
  });
});

test('a word of the RFCs is one, also where it holds what happens to be secret', () => {
  const fields = { error: 'invalid_grant', error_description: 'the grant is over' };
  expect(readRefusal(fields, ['grant'])).toEqual({
    error: 'invalid_grant',
    errorDescription: 'the … is over',
  });
  expect(readRefusal({ error: 'my-secret_grant' }, ['grant'])).toEqual({ error: 'my-secret_…' });
});
