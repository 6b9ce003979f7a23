import { decisionForm, escape, page, type Choices } from './consent-page.js';

/** Where the user types the code. A problem is what is wrong with the one before. */
export function codePage(platform: string, typed: string, problem?: string): string {
  const about = problem === undefined ? '' : ' aria-invalid="true" aria-describedby="problem"';
  return page(
    platform,
    'Sign in on another device',
    `<h1>Sign in on another device</h1>
${problem === undefined ? '' : `<p class="problem" id="problem" role="alert">${problem}</p>`}
<form>
<label class="field" for="user_code">The code that your device shows</label>
<input class="code" type="text" id="user_code" name="user_code" value="${escape(typed)}"${about}
  autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="40" required autofocus>
<p class="actions"><button>Continue</button></p>
</form>`,
  );
}

export interface DeviceConsentPage extends Choices {
  readonly platform: string;
  readonly userCode: string;
  readonly clientId: string;
}

/** RFC 8628 section 5.4: who did not start this can tell by the code. */
export function deviceConsentPage(shown: DeviceConsentPage): string {
  return page(
    shown.platform,
    'Allow access on another device?',
    `<h1>Allow access on another device?</h1>
<dl>
<dt>Code</dt><dd class="code">${escape(shown.userCode)}</dd>
<dt>Client ID</dt><dd><code>${escape(shown.clientId)}</code></dd>
<dt>Signed in as</dt><dd>John Doe</dd>
</dl>
<p>Compare the code with the one that your device shows. If it is another one, or you have started no sign-in,
choose Deny.</p>
${decisionForm(shown)}`,
  );
}

export function answeredPage(platform: string, isAllowed: boolean): string {
  const heading = isAllowed ? 'Access is allowed' : 'Access is denied';
  return page(
    platform,
    heading,
    `<h1>${heading}</h1>
<p>Go back to your device. You can close this page.</p>`,
  );
}
