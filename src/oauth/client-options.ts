import { misconfigured } from '../errors.js';

/** What an author gives of a client, before anybody has looked at it. */
export interface UncheckedClient {
  readonly clientId?: unknown;
  readonly clientSecret?: unknown;
  readonly scopes?: unknown;
}

export interface CheckedClient {
  readonly clientId: string;
  /** A function, so that printing what holds it prints no secret. Absent for a public client. */
  readonly clientSecret?: () => string;
  readonly scopes: readonly string[];
}

/** Whatever is in a scope is encoded; two in one text are two to the server. */
const NOT_EMPTY = /[^]/;

/**
 * @param scopeGrammar Where the platform is strict.
 * @throws {MortiseError} `configuration_error`.
 */
export function checkClient(
  { clientId, clientSecret, scopes = [] }: UncheckedClient,
  scopeGrammar = NOT_EMPTY,
): CheckedClient {
  if (typeof clientId !== 'string' || !clientId) throw misconfigured('clientId is missing');
  // An empty one is a setting that somebody forgot, not a public client.
  if (clientSecret !== undefined && (typeof clientSecret !== 'string' || !clientSecret)) {
    throw misconfigured('clientSecret is missing');
  }
  if (!Array.isArray(scopes)) throw misconfigured('scopes must be a list');
  if (!scopes.every((scope) => typeof scope === 'string' && scopeGrammar.test(scope))) {
    throw misconfigured('scopes must be texts of one scope each');
  }
  return {
    clientId,
    ...(clientSecret !== undefined && { clientSecret: () => clientSecret }),
    scopes: [...scopes] as readonly string[],
  };
}
