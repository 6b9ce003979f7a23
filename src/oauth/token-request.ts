import { base64 } from './base64url.js';
import type { Fields, Provider, ServerMetadata, WireRequest } from './provider.js';

/**
 * A form for the token or the revocation endpoint, with the client's credentials where they belong: HTTP
 * Basic (then the body carries no `client_id`), or the body.
 *
 * @see RFC 6749 sections 2.3.1, 4.1.3, 4.4.2 and 6; RFC 7009 section 2.1
 */
export function buildTokenRequest(
  { clientId, clientSecret, dialect }: Provider,
  { clientAuthentication }: ServerMetadata,
  url: string,
  fields: Fields,
): WireRequest {
  const body = new URLSearchParams(fields);
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
  };
  const secret = clientSecret?.();
  if (secret === undefined || clientAuthentication === 'post') {
    body.set('client_id', clientId);
    if (secret !== undefined) body.set('client_secret', secret);
  } else {
    const part = dialect.basicCredentials === 'as they are' ? (text: string) => text : formEncode;
    const credentials = `${part(clientId)}:${part(secret)}`;
    headers['authorization'] = `Basic ${base64(new TextEncoder().encode(credentials))}`;
  }
  return { method: 'POST', url, headers, body: body.toString() };
}

/** @see RFC 6749 appendix B */
export const formEncode = (text: string): string =>
  new URLSearchParams({ '': text }).toString().slice(1);
