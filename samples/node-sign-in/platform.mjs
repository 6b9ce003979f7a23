import { MortiseError } from 'mortise';
import { createSystemBrowser, fetchTransport, serveSandbox } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { prevu3d } from 'mortise/providers/prevu3d';
import { answerConsent, createSandbox, sandboxEnvironment } from 'mortise/sandbox';

const SCOPES = ['read:basic', 'read:hierarchy'];
const nothing = async () => {};

/** The provider to sign in at; a sandbox is started when none is named. */
export async function choosePlatform(options, terminal) {
  const { issuer, clientId, provider, environment, scopes, redirectUri } = options;
  if (issuer) {
    terminal.title(`OAuth server ${issuer}`);
    const clientSecret = process.env.CLIENT_SECRET;
    const chosen = oauth({
      issuer,
      clientId,
      scopes: scopes ?? ['openid'],
      // OpenID Connect Core section 11: a refresh token is only given when the user is asked.
      ...(scopes?.includes('offline_access') && { authorizationParameters: { prompt: 'consent' } }),
      ...(clientSecret && { clientSecret }),
      ...(redirectUri && { redirect: [redirectUri] }),
    });
    return { provider: chosen, close: nothing };
  }
  if (provider === 'prevu3d') {
    terminal.title(`Prevu3D ${environment ?? 'production'}`);
    const chosen = prevu3d({
      clientId,
      scopes: scopes ?? SCOPES,
      ...(environment && { environment }),
    });
    return { provider: chosen, close: nothing };
  }
  if (provider)
    throw new MortiseError('configuration_error', { problem: `no provider ${provider}` });
  return sandbox(options, terminal);
}

async function sandbox({ port, scopes = SCOPES }, terminal) {
  terminal.title('Prevu3D sandbox, on this machine');
  const served = await serve(
    createSandbox({ provider: 'prevu3d', nowMs: Date.now }),
    port,
    terminal,
  );
  terminal.step('Sandbox', served.url);
  const provider = prevu3d({
    clientId: 'mortise-sample',
    scopes,
    environment: sandboxEnvironment('prevu3d', served.url),
  });
  return { provider, close: served.close, openBrowser: (url) => openOrPlay(url, terminal) };
}

/** Always the same port, if it can be had: the stored session belongs to the server it came from. */
async function serve(sandboxPlatform, port, terminal) {
  try {
    return await serveSandbox(sandboxPlatform, { port });
  } catch {
    terminal.step('Port taken', `${port} is in use, so another one, and a new sign-in`);
    return serveSandbox(sandboxPlatform);
  }
}

/** The user's browser; where there is none, as on a build server, this program plays the user. */
async function openOrPlay(url, terminal) {
  try {
    await createSystemBrowser()(url);
  } catch {
    terminal.step('No display', 'so this program plays the user, who clicks Allow');
    const redirect = await answerConsent(fetchTransport(), url, { decision: 'allow' });
    // Not waited for: the page is answered when the sign-in is through, which waits for us.
    void fetch(redirect).catch(() => {});
  }
}
