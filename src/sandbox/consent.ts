import { consentPage, errorPage, pageHeaders, type Choices } from './consent-page.js';
import type { CodeRequest, Grants } from './grants.js';
import type { Answer, Call } from './message.js';
import type { Route } from './platform.js';

/** An authorization request that may be shown to the user. */
export interface ConsentRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly scopes: readonly string[];
}

export interface ConsentRules {
  /** As the page calls it. */
  readonly platform: string;
  readonly path: RegExp;
  readonly hosts?: readonly string[];
  readonly organizations: readonly { readonly id: string; readonly name: string }[];
  readonly lifetimeS: number;
  /** Reads the query, or says what is wrong with it. */
  readonly read: (call: Call) => ConsentRequest | Answer;
  /** The whole redirect for `code` or `error`, with whatever else the platform sends. */
  readonly redirect: (call: Call, answer: Readonly<Record<string, string>>) => string;
}

export function mistake(platform: string, heading: string, problems: readonly string[]): Answer {
  return { status: 400, headers: pageHeaders(), text: errorPage(platform, heading, problems) };
}

/** Leaves the page by GET, whatever the form was sent with. */
export function redirectTo(location: string): Answer {
  return { status: 303, headers: { location } };
}

/** What the page's form says; `null` when it cannot be read. */
export function readDecision(
  { form }: Call,
  { organizations, scopes }: Choices,
): 'deny' | { readonly organizationId: string; readonly scopes: readonly string[] } | null {
  const decision = form.get('decision');
  if (decision === 'deny') return 'deny';
  const wanted = form.get('organization');
  const organization = organizations.find(({ id, name }) => wanted === id || wanted === name);
  if (decision !== 'allow' || !organization) return null;
  const approved = form.getAll('scopes');
  return {
    organizationId: organization.id,
    scopes: scopes.filter((scope) => approved.includes(scope)),
  };
}

export const unreadable = (platform: string): Answer =>
  mistake(platform, 'The form cannot be read', ['Go back and choose again.']);

/** The authorization endpoint: the page, and the form on it, which goes back to the page's own address. */
export function consentRoutes(rules: ConsentRules, grants: Grants): readonly Route[] {
  const { platform, path, organizations, lifetimeS } = rules;

  function show(call: Call): Answer {
    const request = rules.read(call);
    if ('status' in request) return request;
    const text = consentPage({ platform, organizations, ...request });
    return { status: 200, headers: pageHeaders(), text };
  }

  function decide(call: Call): Answer {
    const request = rules.read(call);
    if ('status' in request) return request;
    const decision = readDecision(call, { organizations, scopes: request.scopes });
    if (!decision) return unreadable(platform);
    if (decision === 'deny') {
      return redirectTo(rules.redirect(call, { error: 'access_denied' }));
    }
    const { clientId, redirectUri, codeChallenge } = request;
    const grant = { clientId, subject: 'user', ...decision, lifetimeS } as const;
    const code: CodeRequest = { redirectUri, codeChallenge, grant };
    return redirectTo(rules.redirect(call, { code: grants.issueCode(code) }));
  }

  const route = { path, ...(rules.hosts && { hosts: rules.hosts }) };
  return [
    { ...route, method: 'GET', place: 'consent', answer: show },
    { ...route, method: 'POST', place: 'redirect', answer: decide },
  ];
}
