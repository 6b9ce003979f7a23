import { MortiseError } from '../errors.js';
import type { HttpRequest, HttpResponse, HttpTransport } from '../ports/index.js';

export interface ConsentAnswer {
  readonly decision: 'allow' | 'deny';
  /** Id or name. Default: the first on the page. */
  readonly organization?: string;
  /** Which of the asked scopes are left ticked. Default: all. */
  readonly scopes?: readonly string[];
}

async function textOf({ body }: HttpResponse): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** The values of the page's inputs of one name, as a browser would send them. */
function valuesOf(page: string, name: string): string[] {
  const inputs = page.matchAll(new RegExp(`<input [^>]*name="${name}" value="([^"]*)"`, 'g'));
  return [...inputs].map(([, value = '']) =>
    value
      .replace(/&lt;/g, '<')
      .replace(/&gt;/g, '>')
      .replace(/&quot;/g, '"')
      .replace(/&amp;/g, '&'),
  );
}

/** One page, and where it sends the browser, if it does. */
interface Shown {
  readonly text: string;
  readonly location: string | null;
}

const mistake = (page: string): MortiseError =>
  new MortiseError('configuration_error', {
    problem: /<h1>([^<]*)</.exec(page)?.[1] ?? 'no consent page',
  });

async function show(sandbox: HttpTransport, request: Omit<HttpRequest, 'signal'>): Promise<Shown> {
  const { signal } = new AbortController();
  const response = await sandbox({ ...request, signal });
  const location = response.headers.get('location') ?? null;
  const text = await textOf(response);
  if (location === null && response.status !== 200) throw mistake(text);
  return { text, location };
}

export const openPage = (sandbox: HttpTransport, url: string): Promise<Shown> =>
  show(sandbox, { url, method: 'GET', headers: {} });

/** Opens the page, fills in its form and sends it off, unless the page sends the browser on at once. */
export async function decide(
  sandbox: HttpTransport,
  url: string,
  { decision, organization, scopes }: ConsentAnswer,
): Promise<Shown> {
  const page = await openPage(sandbox, url);
  if (page.location !== null) return page;
  const form = new URLSearchParams({ decision });
  form.set('organization', organization ?? valuesOf(page.text, 'organization')[0] ?? '');
  for (const scope of scopes ?? valuesOf(page.text, 'scopes')) form.append('scopes', scope);
  return show(sandbox, {
    url,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  });
}

/**
 * Plays the user: opens the consent page and clicks.
 *
 * @returns Where the browser is sent: the redirect URI with its answer.
 * @throws {MortiseError} `configuration_error` when the page shows a mistake instead.
 */
export async function answerConsent(
  sandbox: HttpTransport,
  authorizationUrl: string,
  answer: ConsentAnswer,
): Promise<string> {
  const { text, location } = await decide(sandbox, authorizationUrl, answer);
  if (location === null) throw mistake(text);
  return location;
}
