import type { Fields } from '../protocol/fields.js';

/** All of them where they can be listed, else those that Mortise asks for. */
export function headersOf(headers: { get(name: string): string | null | undefined }): Fields {
  const listed = headers as Partial<Iterable<readonly [string, string]>>;
  const all =
    Symbol.iterator in listed
      ? [...(listed as Iterable<readonly [string, string]>)]
      : ASKED_FOR.map((name) => [name, headers.get(name) ?? null] as const);
  const lower = all.map(([name, value]) => [name.toLowerCase(), value] as const);
  // The body is decoded on its way, so what is said of it before does not hold any more.
  const isDecoded = lower.some(([name, value]) => name === 'content-encoding' && value !== null);
  const dropped = isDecoded ? /^(set-cookie|content-(encoding|length))$/ : /^set-cookie$/;
  return Object.fromEntries(lower.filter(([name, value]) => value !== null && !dropped.test(name)));
}

const ASKED_FOR: readonly string[] = [
  'content-type',
  'content-length',
  'content-encoding',
  'location',
  'retry-after',
  'www-authenticate',
  'date',
  'link',
  'etag',
];
