import { base64url } from '../oauth/base64url.js';
import { createDevices, type DevicePolicy } from './devices.js';
import { sha256OfText } from './encoding.js';
import type { Refused } from './message.js';
import { readToken, writeToken, type Claims } from './token.js';

/** What the user, or the administrator of a service user, has allowed. */
export type Grant = Omit<Claims, 'use' | 'issuedMs' | 'serial'>;

export interface CodeRequest {
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly grant: Omit<Grant, 'family'>;
}

export interface Issued {
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly lifetimeS: number;
  readonly scopes: readonly string[];
}

/** How a fault changes what the token endpoint does, not just what it says. */
export interface GrantPolicy extends DevicePolicy {
  /**
   * A spent refresh token is void (the default); or it stays good beside the new one; or it stays and is sent
   * again; or it stays and none is sent.
   */
  readonly refreshToken?: 'rotating' | 'reusable' | 'same' | 'kept back';
  /** In seconds, of every access token. */
  readonly lifetimeS?: number;
  /** In seconds, of a code. Default 60. */
  readonly codeLifetimeS?: number;
  /** In seconds, of every refresh token. Left out, they never grow old. */
  readonly refreshLifetimeS?: number;
  /** A code shown twice does not void what was issued for it. */
  readonly codeReplay?: 'forgiven';
}

export interface GrantsOptions {
  /** Left out, time stands still. */
  readonly nowMs: (() => number) | undefined;
  readonly seed: string;
  readonly policy: GrantPolicy;
}

/** RFC 6749 section 4.1.2 recommends at most ten minutes; Prevu3D gives a minute. */
const CODE_LIFETIME_S = 60;
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

const invalidGrant = (description: string): Refused => ({ error: 'invalid_grant', description });

/** RFC 7636 section 4.6, by the method S256. */
export const isVerifierOf = (codeVerifier: string, codeChallenge: string): boolean =>
  VERIFIER.test(codeVerifier) && base64url(sha256OfText(codeVerifier)) === codeChallenge;

/** Codes and tokens of one sandbox: what was issued, spent and revoked. */
export type Grants = ReturnType<typeof createGrants>;

export function createGrants({ nowMs: clock, seed, policy }: GrantsOptions) {
  const nowMs = clock ?? (() => 0);
  const codes = new Map<string, CodeRequest & { grant: Grant; expiresMs: number }>();
  const usedCodes = new Map<string, string>();
  const spent = new Set<string>();
  const revokedFamilies = new Set<string>();
  const codeLifetimeMs = (policy.codeLifetimeS ?? CODE_LIFETIME_S) * 1000;
  let serial = 0;

  /** A name nobody else has: not random, since a sandbox must behave the same twice. */
  function next(kind: string): string {
    serial += 1;
    return base64url(sha256OfText([kind, seed, nowMs(), serial].join(' ')).subarray(0, 15));
  }

  function read(token: string, use: Claims['use']): Claims | null {
    const claims = readToken(token);
    // A token of an earlier process: go on counting where that one stopped, or tokens would repeat.
    if (claims) serial = Math.max(serial, claims.serial);
    return claims?.use === use ? claims : null;
  }

  function mint(use: Claims['use'], grant: Grant): string {
    const { clientId, subject, organizationId, scopes, lifetimeS, family } = grant;
    const owner = { clientId, subject, organizationId, scopes, lifetimeS, family };
    serial += 1;
    return writeToken({ use, ...owner, issuedMs: nowMs(), serial });
  }

  function access(grant: Grant): Issued {
    const lifetimeS = policy.lifetimeS ?? grant.lifetimeS;
    const accessToken = mint('access', { ...grant, lifetimeS });
    return { accessToken, lifetimeS, scopes: grant.scopes };
  }

  const issue = (grant: Grant): Issued => ({
    ...access(grant),
    refreshToken: mint('refresh', grant),
  });

  return {
    /** Grants that are asked for by a device, while the user answers elsewhere. */
    devices: createDevices({
      nowMs: clock,
      policy,
      next,
      issue: (grant) => issue({ ...grant, family: next('family') }),
    }),

    issueCode(request: CodeRequest): string {
      const grant = { ...request.grant, family: next('family') };
      const code = `sandbox-code-${next('code')}`;
      codes.set(code, { ...request, grant, expiresMs: nowMs() + codeLifetimeMs });
      return code;
    },

    /**
     * A code is used up by the first who shows it.
     *
     * @param problemWith What the platform finds wrong with who shows it.
     */
    takeCode(
      code: string,
      problemWith: (request: CodeRequest) => string | undefined,
    ): Issued | Refused {
      const request = codes.get(code);
      if (!request) {
        const family = usedCodes.get(code);
        if (family !== undefined && !policy.codeReplay) revokedFamilies.add(family);
        return invalidGrant('The code is unknown or was used before.');
      }
      codes.delete(code);
      usedCodes.set(code, request.grant.family);
      if (nowMs() >= request.expiresMs) return invalidGrant('The code is too old.');
      const problem = problemWith(request);
      if (problem !== undefined) return invalidGrant(problem);
      return issue(request.grant);
    },

    /** RFC 6749 section 4.1.3 and RFC 7636 section 4.6. */
    redeemCode(
      code: string,
      sent: { clientId: string; redirectUri: string; codeVerifier: string },
    ): Issued | Refused {
      return this.takeCode(code, ({ grant, redirectUri, codeChallenge }) => {
        if (sent.clientId !== grant.clientId) return 'The code belongs to another client.';
        if (sent.redirectUri !== redirectUri) {
          return 'The redirect_uri is not the one of the authorization request.';
        }
        return isVerifierOf(sent.codeVerifier, codeChallenge)
          ? undefined
          : 'The code_verifier does not match the code_challenge.';
      });
    },

    /**
     * RFC 6749 section 6, with rotation: who shows a spent token may have stolen it, so the whole family
     * is void (RFC 9700 section 4.14.2).
     *
     * @param scopes Narrower ones, if the client asked for some.
     */
    redeemRefreshToken(
      token: string,
      clientId: string | null,
      scopes: readonly string[] | null,
    ): Issued | Refused {
      const claims = read(token, 'refresh');
      if (!claims) return invalidGrant('The refresh token is unknown.');
      if (clientId !== null && clientId !== claims.clientId) {
        return invalidGrant('The refresh token belongs to another client.');
      }
      if (nowMs() >= claims.issuedMs + (policy.refreshLifetimeS ?? Infinity) * 1000) {
        return invalidGrant('The refresh token is too old.');
      }
      if (revokedFamilies.has(claims.family)) return invalidGrant('The grant was revoked.');
      if (spent.has(token)) {
        revokedFamilies.add(claims.family);
        return invalidGrant('The refresh token was used before: the grant is now revoked.');
      }
      if (scopes?.some((scope) => !claims.scopes.includes(scope))) {
        return { error: 'invalid_scope', description: 'A scope was not granted before.' };
      }
      const issued = access({ ...claims, scopes: scopes ?? claims.scopes });
      if (policy.refreshToken === 'kept back') return issued;
      if (policy.refreshToken === 'same') return { ...issued, refreshToken: token };
      if (policy.refreshToken !== 'reusable') spent.add(token);
      return { ...issued, refreshToken: mint('refresh', claims) };
    },

    /** RFC 6749 section 4.4.3: no refresh token. */
    issueToService: (grant: Omit<Grant, 'family'>): Issued =>
      access({ ...grant, family: next('family') }),

    readAccessToken(token: string): Claims | null {
      const claims = read(token, 'access');
      const isValid =
        claims &&
        !spent.has(token) &&
        !revokedFamilies.has(claims.family) &&
        nowMs() < claims.issuedMs + claims.lifetimeS * 1000;
      return isValid ? claims : null;
    },

    /** RFC 7009 section 2.1: a refresh token takes its whole grant with it. */
    revoke(token: string, clientId: string): void {
      const claims = readToken(token);
      if (claims?.clientId !== clientId) return;
      if (claims.use === 'refresh') revokedFamilies.add(claims.family);
      else spent.add(token);
    },
  };
}
