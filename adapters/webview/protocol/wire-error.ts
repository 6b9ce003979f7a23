import {
  MortiseError,
  isMortiseError,
  type ErrorCode,
  type ErrorDetails,
} from '../../../src/errors.js';
import { numberOf, oneOf, own, textOf, textsOf, type Fields } from './fields.js';

const REASONS = ['never', 'signedOut', 'rejected', 'damaged'] as const;
const STORE_PROBLEMS = [
  'absent',
  'locked',
  'timeout',
  'refused',
  'reset',
  'unwritable',
  'full',
] as const;

/** Printable, and short enough for a panel. */
const words = (fields: Fields, name: string): string => clean(textOf(fields, name, 4_096) ?? '');
const clean = (text: string): string =>
  text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, ' ').slice(0, 300);

const count = (fields: Fields, name: string): number => numberOf(fields, name) ?? 0;

const refusal = (raw: Fields) => {
  const status = numberOf(raw, 'status');
  const error = words(raw, 'error');
  const errorDescription = words(raw, 'errorDescription');
  return {
    ...(status !== undefined && { status }),
    ...(error && { error }),
    ...(errorDescription && { errorDescription }),
  };
};
const none = () => ({});
const refusedWithStatus = (raw: Fields) => ({ ...refusal(raw), status: count(raw, 'status') });
const withProblem = (raw: Fields) => ({ problem: words(raw, 'problem') });

/** What each code may carry over the bridge; everything else an answer holds stays outside. */
const READ_DETAILS: { readonly [C in ErrorCode]: (raw: Fields) => ErrorDetails[C] } = {
  sign_in_required: (raw) => ({ reason: oneOf(raw, 'reason', REASONS) ?? 'signedOut' }),
  sign_in_cancelled: none,
  sign_in_timeout: (raw) => ({ timeoutMs: count(raw, 'timeoutMs') }),
  access_denied: refusal,
  redirect_port_in_use: (raw) => {
    const ports = own(raw, 'ports');
    const isPort = (port: unknown): port is number => typeof port === 'number' && port <= 0xffff;
    return { ports: Array.isArray(ports) ? ports.filter(isPort).slice(0, 64) : [] };
  },
  browser_not_opened: none,
  popup_blocked: none,
  issuer_mismatch: (raw) => ({
    expected: words(raw, 'expected'),
    received: words(raw, 'received') || null,
  }),
  malformed_response: withProblem,
  invalid_grant: refusal,
  invalid_client: refusal,
  oauth_error: refusal,
  network_error: (raw) => ({ host: words(raw, 'host') }),
  timeout: (raw) => ({ host: words(raw, 'host'), timeoutMs: count(raw, 'timeoutMs') }),
  graphql_error: (raw) => ({
    codes: (textsOf(raw, 'codes') ?? []).map(clean),
    messages: (textsOf(raw, 'messages') ?? []).map(clean),
  }),
  rate_limited: (raw) => ({
    status: count(raw, 'status'),
    retryAfterMs: numberOf(raw, 'retryAfterMs') ?? null,
  }),
  http_error: refusedWithStatus,
  insufficient_scope: (raw) => ({
    status: count(raw, 'status'),
    scope: words(raw, 'scope') || null,
  }),
  forbidden: (raw) => {
    const warnings = textsOf(raw, 'warnings')?.map(clean);
    return { ...refusedWithStatus(raw), ...(warnings && { warnings }) };
  },
  api_url_untrusted: (raw) => ({ host: words(raw, 'host') }),
  store_unavailable: (raw) => {
    const problem = oneOf(raw, 'problem', STORE_PROBLEMS);
    return problem ? { problem } : {};
  },
  store_damaged: none,
  integration_unknown: (raw) => ({ integration: words(raw, 'integration') }),
  integration_not_assigned: (raw) => ({
    integration: words(raw, 'integration'),
    plugin: words(raw, 'plugin'),
  }),
  discovery_failed: (raw) => ({
    issuer: words(raw, 'issuer'),
    problem: words(raw, 'problem'),
  }),
  configuration_error: withProblem,
  bridge_unavailable: withProblem,
  aborted: none,
};

/** A failure as its `data` says. A code that is none of ours says only that the host cannot be understood. */
export function readError(data: Fields): MortiseError {
  const code = own(data, 'code');
  if (typeof code !== 'string' || !isMortiseError({ name: 'MortiseError', code })) {
    return unavailable('the host failed in a way that it does not name');
  }
  const known = code as ErrorCode;
  const retryable = own(data, 'retryable');
  return new MortiseError(known, READ_DETAILS[known](data && detailsOf(data)), {
    hint: words(data, 'hint') || undefined,
    ...(typeof retryable === 'boolean' && { retryable }),
  });
}

const detailsOf = (data: Fields): Fields => {
  const details = own(data, 'details');
  return typeof details === 'object' && details !== null ? (details as Fields) : {};
};

/** What goes over the bridge of a failure: never a stack, never a cause. */
export function writeError(error: unknown): Fields {
  const ours = isMortiseError(error)
    ? error
    : new MortiseError('configuration_error', { problem: 'a part lent by the host failed' });
  const { code, details, hint, retryable } = ours;
  // Read as the other side will: nothing but what belongs to the code goes out either.
  return { code, details: READ_DETAILS[code]((details ?? {}) as Fields), hint, retryable };
}

export const unavailable = (problem: string): MortiseError<'bridge_unavailable'> =>
  new MortiseError('bridge_unavailable', { problem });
