/** What never is a redirect, whatever was registered: code, content, and what no server can be. */
const NEVER = /^(javascript|data|blob|file|about|view-source|filesystem):$/;

const DEFAULT_PORTS: ReadonlyMap<string, string> = new Map([
  ['http:', '80'],
  ['https:', '443'],
]);

/**
 * Whether `url` is `redirectUri` with an answer: parsed, then scheme, host, port and path compared after the
 * normalisation of RFC 3986 sections 6.2.2 and 6.2.3 and nothing else. A query of the redirect URI has to be there first.
 * PROTOCOL.md section 4.1 has the table. Never throws.
 *
 * @see RFC 9700 section 4.1.3
 */
export function isRedirect(url: string, redirectUri: string): boolean {
  const came = parse(url);
  const expected = parse(redirectUri);
  return (
    came !== null &&
    expected !== null &&
    !redirectUri.includes('#') &&
    came.scheme === expected.scheme &&
    came.host === expected.host &&
    came.port === expected.port &&
    came.path === expected.path &&
    (expected.query === '' || `${came.query}&`.startsWith(`${expected.query}&`))
  );
}

/** A place a user may be sent to: https, or http on loopback (RFC 8252 section 8.3). */
export function isPresentable(url: string): boolean {
  const parsed = parse(url);
  if (!parsed) return false;
  const { scheme, host } = parsed;
  return (
    scheme === 'https:' ||
    (scheme === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(host))
  );
}

interface Parts {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
  readonly path: string;
  readonly query: string;
}

function parse(text: unknown): Parts | null {
  if (typeof text !== 'string') return null;
  // What parsers mend in different ways.
  const [hierarchy = ''] = text.split(/[?#]/, 1);
  if (/[^!-~]|\\/.test(hierarchy)) return null;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  const { protocol, username, password, hostname, host, port, pathname, search } = url;
  if (username || password || NEVER.test(protocol)) return null;
  const usual = DEFAULT_PORTS.get(protocol);
  if (usual !== undefined) {
    // `http:127.1` and `:0004` are mended by this parser, and read otherwise by others.
    const authority = /^\w+:\/\/([^/]+)/.exec(hierarchy)?.[1]?.toLowerCase();
    if (authority !== host && authority !== `${host}:${usual}`) return null;
  }
  return {
    scheme: protocol,
    // Of a scheme the web does not know the parser leaves the host as it is; some engines do not.
    host: hostname.toLowerCase(),
    port: port,
    path: normalizePath(pathname),
    query: search.slice(1),
  };
}

/** RFC 3986 section 6.2.2: `%7e` is `%7E`, and what needs no encoding is not encoded. */
const normalizePath = (path: string): string =>
  path.replace(/%[\da-f]{2}/gi, (code) => {
    const character = String.fromCharCode(parseInt(code.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : code.toUpperCase();
  }) || '/';
