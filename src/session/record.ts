import { parseJson } from '../http/exchange.js';
import type { Fields } from '../oauth/provider.js';
import { isToken, type TokenSet } from '../oauth/token-response.js';

/** A session as it rests in the store. */
export interface StoredSession extends TokenSet {
  readonly scopes: readonly string[];
  /** What the next refresh must send beside the refresh token, if anything. */
  readonly carried: Fields | null;
  /** Wall clock at the moment the answer arrived: the server's clock is not asked. */
  readonly receivedAtMs: number;
  /** Differs from write to write, so that a writer sees whether another was there since. */
  readonly revision: string;
  /** Differs from sign-in to sign-in; renewing keeps it. */
  readonly signInId: string;
  /** Whose it is: a digest of what the platform says. `null` until it was asked. */
  readonly identity: string | null;
}

/** A sign-in cut in two, resting until its redirect comes. Never beside tokens: another key. */
export interface StoredAttempt {
  readonly state: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
  readonly startedAtMs: number;
  readonly expiresAtMs: number;
}

/** The largest number of sign-ins of one account that may be under way at once; the oldest gives way. */
const MAX_ATTEMPTS = 5;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isTime = (value: unknown): value is number => Number.isFinite(value);

/** Exactly the record: what a process knows beyond it stays in that process. */
export function formatSession(session: StoredSession): string {
  const { accessToken, refreshToken, lifetimeMs, scopes, carried, receivedAtMs } = session;
  const { revision, signInId, identity } = session;
  return JSON.stringify({
    accessToken,
    refreshToken,
    lifetimeMs,
    scopes,
    ...(carried && { carried }),
    receivedAtMs,
    revision,
    signInId,
    ...(identity && { identity }),
  });
}

/** `null` when the text is not a session: whatever else it is, nothing of it is believed. */
export function parseSession(text: string): StoredSession | null {
  const fields = parseObject(text);
  const { accessToken, refreshToken, lifetimeMs, scopes, receivedAtMs, revision } = fields;
  const { carried = null, signInId = '', identity = null } = fields;
  return isToken(accessToken) &&
    (refreshToken === null || isToken(refreshToken)) &&
    (lifetimeMs === null || isTime(lifetimeMs)) &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === 'string') &&
    (carried === null || isFields(carried)) &&
    isTime(receivedAtMs) &&
    isText(revision) &&
    typeof signInId === 'string' &&
    (identity === null || isText(identity))
    ? {
        accessToken,
        refreshToken,
        lifetimeMs,
        scopes: [...scopes],
        carried,
        receivedAtMs,
        revision,
        signInId,
        identity,
      }
    : null;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' &&
  !Array.isArray(value) &&
  Object.entries(Object(value)).every(
    ([name, field]) => /^[a-z]\w*$/.test(name) && typeof field === 'string',
  );

/** Adds one, forgetting those that are over. */
export function formatAttempts(
  attempts: readonly StoredAttempt[],
  added: StoredAttempt | null,
  nowMs: number,
): string {
  const open = attempts.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  return JSON.stringify({ attempts: (added ? [...open, added] : open).slice(-MAX_ATTEMPTS) });
}

export function parseAttempts(text: string | null | undefined): StoredAttempt[] {
  const { attempts } = parseObject(text ?? '');
  return Array.isArray(attempts) ? attempts.filter(isAttempt) : [];
}

/** The accounts of one app, by name. */
export const formatNames = (names: Iterable<string>): string =>
  JSON.stringify({ accounts: [...names] });

export function parseNames(text: string | null | undefined): string[] {
  const { accounts } = parseObject(text ?? '');
  return Array.isArray(accounts) ? accounts.filter(isWellFormed) : [];
}

/** Half a letter names no account: it cannot be part of a key. */
const isWellFormed = (name: unknown): name is string =>
  typeof name === 'string' && !/\p{Surrogate}/u.test(name);

function isAttempt(value: unknown): value is StoredAttempt {
  const { state, codeVerifier, redirectUri, startedAtMs, expiresAtMs } = (value ?? {}) as Record<
    string,
    unknown
  >;
  return (
    [state, codeVerifier, redirectUri].every(isText) && isTime(startedAtMs) && isTime(expiresAtMs)
  );
}

const parseObject = (text: string): Record<string, unknown> => Object(parseJson(text));
