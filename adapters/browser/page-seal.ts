import { MortiseError } from '../../src/errors.js';

/** What records are sealed with: a key that no script can read, and what tells it from others. */
export interface PageKey {
  readonly id: string;
  readonly key: CryptoKey;
}

export interface SealedRecord {
  readonly keyId: string;
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly sealed: ArrayBuffer;
}

const FORMAT = 'mortise-page-1';

/** @throws {MortiseError} `store_unavailable` with `absent` in a page without `crypto.subtle`. */
export async function makePageKey(): Promise<PageKey> {
  const key = await subtle().generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ]);
  return { id: randomBytes(8).join('-'), key };
}

/** AES-256-GCM (NIST SP 800-38D) with a random nonce: enough for 2^32 saves with one key. */
export async function seal(
  { id, key }: PageKey,
  name: string,
  text: string,
): Promise<SealedRecord> {
  const nonce = randomBytes(12);
  const sealed = await subtle().encrypt(
    parametersOf(nonce, name),
    key,
    new TextEncoder().encode(text),
  );
  return { keyId: id, nonce, sealed };
}

/** `null` when it was changed, or sealed under another name. */
export async function unseal(
  { key }: PageKey,
  name: string,
  { nonce, sealed }: SealedRecord,
): Promise<string | null> {
  const own = subtle();
  try {
    return readText(await own.decrypt(parametersOf(nonce, name), key, sealed));
  } catch {
    return null;
  }
}

export function isPageKey(value: unknown): value is PageKey {
  const { id, key } = Object(value) as Partial<PageKey>;
  return typeof id === 'string' && Object.prototype.toString.call(key) === '[object CryptoKey]';
}

export function isSealedRecord(value: unknown): value is SealedRecord {
  const { keyId, nonce, sealed } = Object(value) as Partial<SealedRecord>;
  return typeof keyId === 'string' && typeof nonce === 'object' && typeof sealed === 'object';
}

/** @throws What the decoder does, for bytes that are no text. */
export const readText = (bytes: ArrayBuffer | Uint8Array): string =>
  new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

/** What keeps a page from keeping anything, and what its user can do. */
const HINTS = {
  absent:
    'This page cannot keep a sign-in: open it by https or http://localhost, outside a sandboxed frame, and allow its site data.',
  refused: 'Only well-formed text can be stored.',
  reset: 'The browser has removed the key of this record: sign in again.',
  timeout: 'Close other tabs of this page, then reload it.',
  full: 'Free some disk space, or the site data of this page.',
  unwritable: 'Reload the page; if that does not help, clear its site data and sign in again.',
} as const;

export function pageError(problem: keyof typeof HINTS): MortiseError {
  const retryable = /^(timeout|full|unwritable)$/.test(problem);
  return new MortiseError('store_unavailable', { problem }, { hint: HINTS[problem], retryable });
}

/** The name is sealed with it, so that no record can be put in the place of another. */
const parametersOf = (iv: Uint8Array<ArrayBuffer>, name: string) => ({
  name: 'AES-GCM',
  iv,
  additionalData: new TextEncoder().encode(`${FORMAT} ${name}`),
});

const randomBytes = (length: number) => globalThis.crypto.getRandomValues(new Uint8Array(length));

function subtle(): SubtleCrypto {
  // Absent in some pages, whatever the types say.
  const crypto: Partial<Crypto> | undefined = globalThis.crypto;
  if (!crypto?.subtle) throw pageError('absent');
  return crypto.subtle;
}
