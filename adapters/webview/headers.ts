import type { Fields } from './fields.js';

/** All of them where they can be listed, else those that Mortise asks for. */
export function headersOf(headers: { get(name: string): string | null | undefined }): Fields {
  const listed = headers as Partial<Iterable<readonly [string, string]>>;
  const all =
    Symbol.iterator in listed
      ? [...(listed as Iterable<readonly [string, string]>)]
      : ASKED_FOR.map((name) => [name, headers.get(name) ?? null] as const);
  return Object.fromEntries(
    all.filter(([name, value]) => value !== null && name.toLowerCase() !== 'set-cookie'),
  );
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
