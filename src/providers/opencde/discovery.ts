import { MortiseError } from '../../errors.js';
import { isSecure, parseUrl, withoutLastSlashes } from '../../oauth/endpoint.js';
import type { ReadDocument, ServerMetadata } from '../../oauth/provider.js';

/** An entry of `foundation/versions`, or of `bcf/versions` where `api_id` is left out. */
export interface OpencdeVersion {
  readonly api_id: string;
  readonly version_id: string;
  readonly detailed_version?: string;
  /** The API's place, name and version included; below the server when left out. */
  readonly api_base_url?: string;
  readonly [field: string]: unknown;
}

/** The server's address, where its public documents are, and whom it may name beside itself. */
export interface OpencdeServer {
  /** Without a slash at its end. */
  readonly root: string;
  readonly trustedOrigins: readonly string[];
}

/** Which APIs a server has. */
export interface OpencdeApis {
  readonly versions: readonly OpencdeVersion[];
  /** Where `auth` and `current-user` are: a Foundation API, or BCF 2.1 in its place. */
  readonly foundation: OpencdeVersion;
  /** `undefined` when the server has none that is spoken here. */
  readonly bcf: OpencdeVersion | undefined;
}

/** Newest first. 1.1 differs from 1.0 in wording only. */
const FOUNDATION_VERSIONS = ['1.1', '1.0'];
const BCF_VERSIONS = ['3.0', '2.1'];
/** Only BCF 2.1 has `auth` and `current-user`; from 3.0 on they are the Foundation API's. */
const FOUNDATION_IN_BCF = ['2.1', '3.0'];

const failed = (
  { root }: OpencdeServer,
  problem: string,
  status?: number,
  hint?: string,
): MortiseError<'discovery_failed'> =>
  new MortiseError(
    'discovery_failed',
    { issuer: root, problem, ...(status !== undefined && { status }) },
    { hint, retryable: status !== undefined && (status >= 500 || status === 429) },
  );

/**
 * Asks a server which APIs it has: at the place of the Foundation API, and if that is not there at the one of
 * BCF 2.1, which is older. Only "not here", in whatever words, sends us on.
 *
 * @throws {MortiseError} `discovery_failed`.
 * @see Foundation API 1.1 section 2.1
 */
export async function findApis(
  server: OpencdeServer,
  readDocument: ReadDocument,
): Promise<OpencdeApis> {
  let failure = failed(server, 'it lists no API');
  for (const place of ['foundation', 'bcf']) {
    const { status, json } = await readDocument(`${server.root}/${place}/versions`);
    if (status >= 500 || status === 429) throw failed(server, 'it cannot list its APIs', status);
    const versions = status < 300 ? readVersions(json, place) : [];
    const first = (id: RegExp, ids: readonly string[]) =>
      ids
        .map((each) =>
          versions.find(({ api_id, version_id }) => id.test(api_id) && version_id === each),
        )
        .find((version) => version !== undefined);
    const bcf = first(/^bcf$/, BCF_VERSIONS);
    const foundation =
      place === 'bcf'
        ? first(/^bcf$/, FOUNDATION_IN_BCF)
        : first(/^(opencde-)?foundation$/, FOUNDATION_VERSIONS);
    if (foundation) return { versions, foundation, bcf };
    if (status >= 300) failure = failed(server, 'it lists no API', status);
  }
  throw failure;
}

/** More than any server has. */
const MAX_VERSIONS = 100;

/** Entries that can be used; the standard lets the others be null. */
function readVersions(json: unknown, place: string): OpencdeVersion[] {
  const { versions } = Object(json) as { versions?: unknown };
  if (!Array.isArray(versions)) return [];
  return versions
    .slice(0, MAX_VERSIONS)
    .filter(
      (entry: unknown): entry is OpencdeVersion => typeof entry === 'object' && entry !== null,
    )
    .map((entry) => ({ ...entry, api_id: entry.api_id ?? place }))
    .filter(
      ({ api_id, version_id }) => typeof api_id === 'string' && typeof version_id === 'string',
    );
}

/**
 * Where an API is. A token goes there, so another origin than the server's must have been confirmed.
 *
 * @throws {MortiseError} `api_url_untrusted`.
 */
export function baseOf(
  server: OpencdeServer,
  { api_id, version_id, api_base_url }: OpencdeVersion,
): string {
  const usual = `${server.root}/${api_id.replace(/^opencde-/, '')}/${version_id}`;
  const url = parseUrl(api_base_url || usual);
  const isBase = url && isSecure(url) && !url.search;
  if (isBase && isConfirmed(server, url)) return url.origin + withoutLastSlashes(url.pathname);
  const hint = isBase ? hintToConfirm(url) : undefined;
  throw new MortiseError('api_url_untrusted', { host: url?.host ?? '' }, { hint });
}

const hintToConfirm = ({ origin }: URL): string =>
  `If you know ${origin}, add it to trustedOrigins.`;

/** Of an address that is secure in itself. */
const isConfirmed = ({ root, trustedOrigins }: OpencdeServer, url: URL): boolean =>
  [new URL(root).origin, ...trustedOrigins].includes(url.origin);

/**
 * Asks a server how users sign in.
 *
 * @throws {MortiseError} `discovery_failed`.
 * @see Foundation API 1.1 section 2.2
 */
export async function findEndpoints(
  server: OpencdeServer,
  readDocument: ReadDocument,
): Promise<ServerMetadata> {
  const { foundation } = await findApis(server, readDocument);
  const { status, json } = await readDocument(`${baseOf(server, foundation)}/auth`);
  const auth = Object(json) as Readonly<Record<string, unknown>>;
  if (status >= 300 || json === undefined) {
    throw failed(server, 'it does not say how users sign in', status);
  }
  const { oauth2_auth_url: authorizationUrl, oauth2_token_url: tokenUrl } = auth;
  if (typeof authorizationUrl !== 'string' || typeof tokenUrl !== 'string') {
    const basic = isTrue(auth['http_basic_supported']) ? ', but user names and passwords' : '';
    throw failed(server, `it offers no OAuth${basic}`);
  }
  const { supported_oauth2_flows: flows, code_challenge_method: method } = auth;
  if (Array.isArray(flows) && !flows.includes('authorization_code_grant')) {
    throw failed(server, 'it does not offer the authorization code grant');
  }
  if (method === 'plain') throw failed(server, 'it does not offer PKCE with S256');
  return {
    authorizationEndpoint: endpoint(server, 'oauth2_auth_url', authorizationUrl),
    tokenEndpoint: endpoint(server, 'oauth2_token_url', tokenUrl),
  };
}

/** Servers in the field send `"false"`, which is true to those who only look whether there is something. */
export const isTrue = (value: unknown): boolean => value === true || value === 'true';

function endpoint(server: OpencdeServer, name: string, text: string): string {
  const url = parseUrl(text);
  if (!url || !isSecure(url)) throw failed(server, `its ${name} is not an https address`);
  if (!isConfirmed(server, url)) {
    throw failed(server, `its ${name} is on another origin`, undefined, hintToConfirm(url));
  }
  return url.href;
}
