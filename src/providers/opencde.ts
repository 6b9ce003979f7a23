import { MortiseError, type AnyMortiseError } from '../errors.js';
import { listing, skippingPages, type Listing, type PageOptions } from '../api/pages.js';
import { pathSegment } from '../api/url.js';
import { checkClient } from '../oauth/client-options.js';
import { checkRedirectUris, parseServerRoot, parseServerUrl } from '../oauth/endpoint.js';
import type { ApiFailure, ApiSend, Provider, ReadDocument } from '../oauth/provider.js';
import { readRefusal } from '../oauth/refusal.js';
import {
  baseOf,
  findApis,
  findEndpoints,
  type OpencdeServer,
  type OpencdeVersion,
} from './opencde/discovery.js';

/**
 * @module buildingSMART OpenCDE: Foundation API 1.0 and 1.1 (buildingSMART/foundation-API), BCF API 2.1 and 3.0
 * (buildingSMART/BCF-API), read on 2026-11-22.
 *
 * The standard said nothing of PKCE for long; it is sent always, and a server that does not know it ignores it.
 */

export type { OpencdeVersion } from './opencde/discovery.js';

export interface OpencdeOptions {
  /** As a user pastes it, such as `https://api.catenda.com/opencde`. */
  readonly serverUrl: string;
  readonly clientId: string;
  /** For a confidential client: sent in an HTTP Basic header. */
  readonly clientSecret?: string;
  /** Exactly as registered. The first that can be had is used. */
  readonly redirectUris: readonly string[];
  /** The standard knows none; some servers ask for one, OpenProject for `bcf_v2_1`. */
  readonly scopes?: readonly string[];
  /**
   * Origins, such as `https://bcf.example.com`, where the server may have its sign-in or its APIs beside its
   * own. Nothing is sent to any other: ask your user before you add what an error names.
   */
  readonly trustedOrigins?: readonly string[];
}

/** Unknown fields are kept. */
export interface OpencdeUser {
  readonly id: string;
  readonly name?: string;
  readonly [field: string]: unknown;
}

export interface BcfProject {
  readonly project_id: string;
  readonly name?: string;
  readonly [field: string]: unknown;
}

export interface BcfTopic {
  readonly guid: string;
  readonly title?: string;
  readonly [field: string]: unknown;
}

/** OData, as far as a server has it. */
export interface TopicOptions extends PageOptions {
  /** Such as `topic_status eq 'Open'`. */
  readonly filter?: string;
  readonly orderBy?: string;
}

export interface OpencdeApi {
  /** Below the server's address. */
  readonly request: ApiSend;
  /** Below the place of its BCF API, which may be elsewhere. */
  readonly bcf: ApiSend;
  /** The server's APIs. Asks without a token. */
  versions(): Promise<readonly OpencdeVersion[]>;
  currentUser(options?: { signal?: AbortSignal }): Promise<OpencdeUser>;
  projects(options?: PageOptions): Listing<BcfProject>;
  topics(projectId: string, options?: TopicOptions): Listing<BcfTopic>;
}

export function opencde(options: OpencdeOptions): Provider<OpencdeApi> {
  const client = checkClient(options);
  const server = readServer(options);
  return {
    id: 'opencde',
    grant: 'authorization_code',
    ...client,
    redirect: checkRedirectUris(options.redirectUris),
    server: server.root,
    metadata: (readDocument) => findEndpoints(server, readDocument),
    // The standard's example: client_id as the user name and client_secret as the password.
    dialect: { basicCredentials: 'as they are' },
    apiFailure,
    api({ connect, readDocument, askIdentity }) {
      const bcf = connect(() => bcfBase(server, readDocument));
      const foundation = connect(async () =>
        baseOf(server, (await findApis(server, readDocument)).foundation),
      );
      return {
        request: connect(server.root),
        bcf,
        versions: async () => (await findApis(server, readDocument)).versions,
        async currentUser({ signal } = {}) {
          const tell = askIdentity();
          const answer = await foundation({ path: 'current-user', signal });
          const user = await answer.json<OpencdeUser | null>();
          if (typeof user?.id !== 'string') {
            throw new MortiseError('malformed_response', { problem: 'it names no user' });
          }
          tell(user.id);
          return user;
        },
        projects: (how) =>
          listing(() => skippingPages<BcfProject>(bcf, 'projects', 'project_id', how)),
        topics(projectId, { filter, orderBy, ...how } = {}) {
          const query = { $filter: filter, $orderby: orderBy };
          return listing(() => {
            const path = `projects/${pathSegment(projectId)}/topics`;
            return skippingPages<BcfTopic>(bcf, path, 'guid', how, query);
          });
        },
      };
    },
    async displayName(api) {
      const { name, id } = await api.currentUser();
      return typeof name === 'string' && name ? name : id;
    },
  };
}

/** Who pastes the address of one of the documents, or of the BCF API, means the server. */
const DOCUMENT = /\/(foundation|bcf)(\/versions|\/\d+\.\d+(\/auth)?)?$/;

function readServer({ serverUrl, trustedOrigins = [] }: OpencdeOptions): OpencdeServer {
  const origins: readonly unknown[] = Array.isArray(trustedOrigins) ? trustedOrigins : [''];
  return {
    root: parseServerRoot(serverUrl).replace(DOCUMENT, ''),
    trustedOrigins: origins.map((text) => {
      if (typeof text === 'string' && text.includes('://')) return parseServerUrl(text).origin;
      const problem = 'trustedOrigins must be addresses such as https://bcf.example.com';
      throw new MortiseError('configuration_error', { problem });
    }),
  };
}

async function bcfBase(server: OpencdeServer, readDocument: ReadDocument): Promise<string> {
  const { bcf } = await findApis(server, readDocument);
  if (bcf) return baseOf(server, bcf);
  const problem = 'it has no BCF API 3.0 or 2.1';
  throw new MortiseError('discovery_failed', { issuer: server.root, problem });
}

/** Errors are `{ message }`. @see Foundation API 1.1, schemas/error.json */
function apiFailure({ status, headers, json }: ApiFailure): AnyMortiseError | undefined {
  const { message } = Object(json) as { message?: unknown };
  // RFC 6750 section 3.1: the header names the scope that is missing.
  if (/\binsufficient_scope\b/i.test(headers.get('www-authenticate') ?? '')) return undefined;
  const said = readRefusal({ error_description: message }, [], status);
  if (said.errorDescription === undefined || status === 401 || status === 429 || status >= 500) {
    return undefined;
  }
  const details = { ...said, status };
  return status === 403
    ? new MortiseError('forbidden', details)
    : new MortiseError('http_error', details);
}
