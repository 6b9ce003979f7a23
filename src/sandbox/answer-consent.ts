import { MortiseError } from '../errors.js';
import type { HttpResponse, HttpTransport } from '../ports/index.js';

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

/**
 * Plays the user: opens the consent page and clicks.
 *
 * @returns Where the browser is sent: the redirect URI with its answer.
 * @throws {MortiseError} `configuration_error` when the page shows a mistake instead.
 */
export async function answerConsent(
  sandbox: HttpTransport,
  authorizationUrl: string,
  { decision, organization, scopes }: ConsentAnswer,
): Promise<string> {
  const { signal } = new AbortController();
  const request = { url: authorizationUrl, signal };
  const shown = await sandbox({ ...request, method: 'GET', headers: {} });
  const page = await textOf(shown);
  const form = new URLSearchParams({ decision });
  form.set('organization', organization ?? valuesOf(page, 'organization')[0] ?? '');
  for (const scope of scopes ?? valuesOf(page, 'scopes')) form.append('scopes', scope);

  const answered =
    shown.status === 200
      ? await sandbox({
          ...request,
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: form.toString(),
        })
      : shown;
  const location = answered.headers.get('location');
  if (location) return location;
  const heading = /<h1>([^<]*)</.exec(answered === shown ? page : await textOf(answered))?.[1];
  throw new MortiseError('configuration_error', { problem: heading ?? 'no consent page' });
}
