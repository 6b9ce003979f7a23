import fc from 'fast-check';
import { readRetryAfterMs } from '../../src/oauth/retry-after.js';

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const read = (value: string | null | undefined) => readRetryAfterMs(value, NOW_MS);

describe('case 115: Retry-After', () => {
  // prettier-ignore
  test.each<[name: string, value: string | null | undefined, ms: number | null]>([
    ['seconds',                    '120',                              120_000],
    ['zero',                       '0',                                0],
    ['fractions, rounded up',      '0.0001',                           1],
    ['blanks around it',           ' 5 ',                              5_000],
    ['a year',                     '31536000',                         31_536_000_000],
    ['an HTTP date',               'Sun, 22 Nov 2026 12:00:30 GMT',    30_000],
    ['a date of RFC 850',          'Sunday, 22-Nov-26 12:00:30 GMT',   30_000],
    ['a date of asctime',          'Sun Nov 22 12:00:30 2026 GMT',     30_000],
    ['a date that is past',        'Sun, 22 Nov 2026 11:59:59 GMT',    0],
    ['nothing',                    '',                                 null],
    ['null',                       null,                               null],
    ['undefined',                  undefined,                          null],
    ['blanks',                     '   ',                              null],
    ['a negative number',          '-5',                               null],
    ['a signed number',            '+5',                               null],
    ['words',                      'soon',                             null],
    ['words and a number',         'try 2050',                         null],
    ['a unit',                     '5 seconds',                        null],
    ['hex',                        '0x10',                             null],
    ['an exponent',                '1e3',                              null],
    ['Infinity',                   'Infinity',                         null],
    ['NaN',                        'NaN',                              null],
    ['two of them',                '5, 5',                             null],
    ['64 digits and one',          '1'.repeat(65),                     null],
    ['64 KB',                      '1'.repeat(65_536),                 null],
  ])('%s', (_, value, ms) => {
    expect(read(value)).toBe(ms);
  });

  test('whatever is sent: null, or a whole finite number that is not negative', () => {
    const odd = fc.stringMatching(/^[\d .,:+-]{0,70}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), odd), (value) => {
        const ms = read(value);
        expect(ms === null || (Number.isFinite(ms) && ms >= 0 && ms === Math.ceil(ms))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});
