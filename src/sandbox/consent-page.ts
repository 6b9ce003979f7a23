import { base64 } from '../oauth/base64url.js';
import { STYLE } from './consent-style.js';
import { sha256OfText } from './encoding.js';

/** What the user chooses from. */
export interface Choices {
  readonly scopes: readonly string[];
  readonly organizations: readonly { readonly id: string; readonly name: string }[];
}

export interface ConsentPage extends Choices {
  readonly platform: string;
  readonly clientId: string;
  readonly redirectUri: string;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

export function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? '');
}

/**
 * For every page. No `form-action`: Chrome applies it to the redirect behind the form as well, and what
 * the plug-in does after that is its own affair.
 */
export function pageHeaders(): Record<string, string> {
  const style = base64(sha256OfText(STYLE));
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; img-src data:; style-src 'sha256-${style}'; base-uri 'none'; frame-ancestors 'none'`,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
}

export function page(platform: string, title: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · ${platform} sandbox</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<p class="banner"><strong>SANDBOX</strong> This is not ${platform}. No account, no real data.</p>
<main>
${main}
</main>
</body>
</html>
`;
}

const choose = (legend: string, choices: readonly string[]) =>
  `<fieldset><legend>${legend}</legend>\n${choices.join('\n')}\n</fieldset>`;

/** A platform without organizations has one, which is no choice. */
function organizationChoice({ organizations }: Choices): string {
  const [only, ...others] = organizations;
  if (only && others.length === 0) {
    return `<input type="hidden" name="organization" value="${escape(only.id)}">`;
  }
  return choose(
    'Organization',
    organizations.map(
      ({ id, name }, index) =>
        `<label><input type="radio" name="organization" value="${escape(id)}"${index === 0 ? ' checked' : ''}> ${escape(name)}</label>`,
    ),
  );
}

const scopeChoice = ({ scopes }: Choices) =>
  scopes.length === 0
    ? ''
    : choose(
        'Scopes',
        scopes.map(
          (scope) =>
            `<label><input type="checkbox" name="scopes" value="${escape(scope)}" checked> <code>${escape(scope)}</code></label>`,
        ),
      );

/** Goes back to the page's own address, which holds the request. */
export const decisionForm = (choices: Choices): string => `<form method="post">
${organizationChoice(choices)}
${scopeChoice(choices)}
<p class="actions">
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny" class="quiet">Deny</button>
</p>
</form>`;

/** What the user is asked. */
export function consentPage(shown: ConsentPage): string {
  return page(
    shown.platform,
    'Allow access?',
    `<h1>Allow access?</h1>
<dl>
<dt>Client ID</dt><dd><code>${escape(shown.clientId)}</code></dd>
<dt>Returns to</dt><dd><code>${escape(shown.redirectUri)}</code></dd>
<dt>Signed in as</dt><dd>John Doe</dd>
</dl>
${decisionForm(shown)}`,
  );
}

/** What the author of the plug-in has to mend. The user cannot go on. */
export function errorPage(platform: string, heading: string, problems: readonly string[]): string {
  return page(
    platform,
    heading,
    `<h1>${heading}</h1>
<p>The program that opened this page asked in a way that ${platform} does not accept:</p>
<ul>
${problems.map((problem) => `<li>${escape(problem)}</li>`).join('\n')}
</ul>
<p>Nothing was sent back to it. You can close this page.</p>`,
  );
}
