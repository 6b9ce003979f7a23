const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** @see RFC 4648 section 4 */
export function base64(bytes: Uint8Array, last = '+/', padding = '='): string {
  const alphabet = ALPHABET + last;
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let digit = 0; digit < 4; digit += 1) {
      text += digit > left ? padding : alphabet[(group >> (18 - 6 * digit)) & 63];
    }
  }
  return text;
}

/** Without padding. @see RFC 4648 section 5 */
export const base64url = (bytes: Uint8Array): string => base64(bytes, '-_', '');
