/**
 * What is used of two packages: one has no types of its own, the types of the other would bring Node's into a
 * folder that has no Node.
 */
declare module 'whatwg-url' {
  export const URL: object;
  export const URLSearchParams: object;
}

declare module '@exodus/bytes/encoding-lite.js' {
  export const TextEncoder: object;
  export const TextDecoder: object;
}

declare module '@exodus/bytes/base64.js' {
  export function toBase64(bytes: Uint8Array): string;
  /** @throws For anything that is not base64 of RFC 4648. */
  export function fromBase64(text: string): Uint8Array;
}
