import { createSystemBrowser, fetchTransport } from 'mortise/node';
import { answerConsent, answerDevice } from 'mortise/sandbox';

/** Whether nobody is there to click: on a build server, or where another program reads what is printed. */
export const isAlone = () =>
  !process.env.BROWSER && (Boolean(process.env.CI) || !process.stdout.isTTY);

/** The user's browser at a sandbox; where there is none, this program plays the user. */
export async function openOrPlay(url, terminal) {
  try {
    if (!isAlone()) return await createSystemBrowser()(url);
  } catch {
    // None could be opened: the same as none.
  }
  terminal.step('No browser', 'so this program plays the user, who clicks Allow');
  return playUser(url, 'allow');
}

/** The user of a sandbox, without a browser. */
export async function playUser(url, decision) {
  const redirect = await answerConsent(fetchTransport(), url, { decision });
  // Not waited for: the page is answered when the sign-in is through, which waits for us.
  void fetch(redirect).catch(() => {});
}

/** The user of a sandbox, on another device: types the code, or brings back the address a browser ended on. */
export async function playElsewhere(session, terminal, decision) {
  const { device, authorizationUrl } = session.state;
  const clicks = `clicks ${decision === 'allow' ? 'Allow' : 'Deny'}`;
  const does = device ? `types the code and ${clicks}` : `${clicks} and pastes`;
  terminal.step('No browser', `so this program plays the user, who ${does}`);
  if (device) return answerDevice(fetchTransport(), device, { decision });
  const redirect = await answerConsent(fetchTransport(), authorizationUrl, { decision });
  // What becomes of it the sign-in tells.
  await session.completeSignIn(redirect).catch(() => {});
}
