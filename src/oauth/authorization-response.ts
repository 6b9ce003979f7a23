import { MortiseError } from '../errors.js';
import { parseUrl } from './endpoint.js';
import type { Provider, ServerMetadata } from './provider.js';
import { readRefusal, refusalError } from './refusal.js';

export interface ExpectedResponse {
  readonly redirectUri: string;
  readonly state: string;
}

/** A code of printable characters (RFC 6749 appendix A.11). The longest seen are a few kilobytes. */
const CODE = /^[\x20-\x7e]{1,8192}$/;

export const isAuthorizationCode = (text: string): boolean => CODE.test(text);

/**
 * Reads the authorization code out of a redirect. `null` for one that is no answer to this request, which
 * goes on waiting; a throw for one that is, and ends it.
 *
 * `state` is looked at first, so that nothing is believed of a response that is not ours.
 *
 * @throws {MortiseError} `access_denied`, `oauth_error`, `issuer_mismatch`, `malformed_response`.
 * @see RFC 6749 section 4.1.2, RFC 9207 section 2.4
 */
export function readAuthorizationCode(
  redirectUrl: string,
  expected: ExpectedResponse,
  { issuer, iss: issPolicy }: Pick<ServerMetadata, 'issuer' | 'iss'>,
  { dialect, hints }: Pick<Provider, 'dialect' | 'hints'>,
): string | null {
  const url = parseUrl(redirectUrl);
  const place = parseUrl(expected.redirectUri);
  if (!url || !place || !isSamePlace(url, place)) return null;
  const query = url.searchParams;
  const { codeParameter = 'code', denialParameter } = dialect;
  const isDenied = denialParameter !== undefined && query.get(denialParameter) === 'true';
  const states = query.getAll('state');
  const isOurs =
    dialect.state === 'not repeated'
      ? query.has(codeParameter) || isDenied
      : states.length === 1 && states[0] === expected.state;
  const isDenial =
    dialect.denial === 'without state' &&
    states.length === 0 &&
    query.has('error') &&
    !query.has('code');
  if (!isOurs && !isDenial) return null;

  const single = (name: string) => {
    const values = query.getAll(name);
    if (values.length > 1) {
      throw new MortiseError('malformed_response', { problem: `${name} was sent twice` });
    }
    return values[0] ?? null;
  };
  const iss = single('iss');
  const code = single(codeParameter);
  const error = isDenied ? 'access_denied' : single('error');
  if (issuer !== undefined && (iss === null ? issPolicy === 'required' : iss !== issuer)) {
    throw new MortiseError('issuer_mismatch', { expected: issuer, received: iss && hostOf(iss) });
  }
  if (error !== null && code === null) {
    const refusal = readRefusal({ error, error_description: query.get('error_description') }, [
      expected.state,
    ]);
    throw refusalError(refusal, (kind) => hints?.(kind, 'authorization', undefined));
  }
  if (error !== null || code === null || !isAuthorizationCode(code)) {
    throw new MortiseError('malformed_response', {
      problem: 'the redirect carries no usable code',
    });
  }
  return code;
}

/** Scheme, host, port and path as parsed; a look-alike is another place. */
function isSamePlace(url: URL, redirectUri: URL): boolean {
  return (
    url.protocol === redirectUri.protocol &&
    url.host === redirectUri.host &&
    url.pathname === redirectUri.pathname &&
    !url.username &&
    !url.password
  );
}

/** What may be shown of a foreign `iss`: at most its origin, for the rest is whatever its sender liked. */
const hostOf = (iss: string): string => parseUrl(iss)?.origin ?? 'not an address';
