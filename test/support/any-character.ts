import fc from 'fast-check';

const SURROGATES = { first: 0xd800, last: 0xdfff };

/**
 * Any character of Unicode, as the `unit` of `fc.string`. As fast-check's own units, but without the table of all million
 * characters that those make in every test file.
 */
export const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - (SURROGATES.last - SURROGATES.first + 1) })
  .map((code) => (code < SURROGATES.first ? code : code + SURROGATES.last - SURROGATES.first + 1))
  .map((code) => String.fromCodePoint(code));
