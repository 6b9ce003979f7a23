type CryptoKey = Awaited<ReturnType<typeof globalThis.crypto.subtle.importKey>>;

/** What records are sealed with. */
export interface SealingKey {
  /** Tells keys apart, and nothing of them. */
  readonly id: string;
  readonly key: CryptoKey;
}

export interface SealedRecord {
  readonly keyId: string;
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly sealed: Uint8Array<ArrayBuffer>;
}

export const KEY_BYTES = 32;

const FORMAT = 'mortise-sealed-1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** @param bytes Wiped afterwards; the key itself cannot be read out again. */
export async function importSealingKey(bytes: Uint8Array<ArrayBuffer>): Promise<SealingKey> {
  const { subtle } = globalThis.crypto;
  const named = Buffer.concat([Buffer.from(`${FORMAT} key `), bytes]);
  const id = Buffer.from(await subtle.digest('SHA-256', named)).toString('hex', 0, 8);
  const key = await subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
  for (const secret of [named, bytes]) secret.fill(0);
  return { id, key };
}

/** AES-256-GCM (NIST SP 800-38D) with a random nonce: enough for 2^32 saves with one key. */
export async function seal({ id, key }: SealingKey, name: string, text: string): Promise<string> {
  const { subtle } = globalThis.crypto;
  const nonce = globalThis.crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const sealed = await subtle.encrypt(parametersOf(nonce, name), key, Buffer.from(text));
  return [FORMAT, id, toText(nonce), toText(new Uint8Array(sealed))].join(':');
}

/** `null` for what cannot have been made by {@link seal}. */
export function parseSealed(text: string): SealedRecord | null {
  const [, keyId, nonceText, sealedText] =
    /^mortise-sealed-1:([0-9a-f]{16}):([\w-]{16}):([\w-]{22,})$/.exec(text) ?? [];
  if (keyId === undefined || nonceText === undefined || sealedText === undefined) return null;
  const [nonce, sealed] = [toBytes(nonceText), toBytes(sealedText)];
  return nonce.length === NONCE_BYTES && sealed.length >= TAG_BYTES
    ? { keyId, nonce, sealed }
    : null;
}

/** `null` when it was changed, or sealed under another name. */
export async function unseal(
  { key }: SealingKey,
  name: string,
  { nonce, sealed }: SealedRecord,
): Promise<string | null> {
  try {
    const bytes = await globalThis.crypto.subtle.decrypt(parametersOf(nonce, name), key, sealed);
    return Buffer.from(bytes).toString();
  } catch {
    return null;
  }
}

/** The name is sealed with it, so that no record can be put in the place of another. */
const parametersOf = (iv: Uint8Array<ArrayBuffer>, name: string) => ({
  name: 'AES-GCM',
  iv,
  additionalData: Buffer.from(`${FORMAT} ${name}`),
  tagLength: TAG_BYTES * 8,
});

const toText = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const toBytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));
