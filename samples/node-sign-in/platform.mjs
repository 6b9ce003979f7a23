import { MortiseError } from 'mortise';
import { serveSandbox } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { prevu3d } from 'mortise/providers/prevu3d';
import { createSandbox, sandboxEnvironment } from 'mortise/sandbox';
import { openOrPlay } from '../stage/person.mjs';

const SCOPES = ['read:basic', 'read:hierarchy'];
const nothing = async () => {};

/** The provider to sign in at; a sandbox is started when none is named. */
export async function choosePlatform(options, terminal) {
  const { issuer, clientId, clientSecret, provider, environment, scopes, redirectUri } = options;
  if (issuer) {
    terminal.title(`OAuth server ${issuer}`);
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
  terminal.title('Prevu3D sandbox, on this machine');
  return sandbox(options, terminal);
}

async function sandbox({ port, scopes = SCOPES, signOut }, terminal) {
  const url = `http://localhost:${port}`;
  // To forget a session nobody has to be asked.
  const served = signOut ? { url, close: nothing } : await serve(port, terminal);
  if (!signOut) terminal.step('Sandbox', served.url);
  const provider = prevu3d({
    clientId: 'mortise-sample',
    scopes,
    environment: sandboxEnvironment('prevu3d', served.url),
  });
  return {
    provider,
    close: served.close,
    openBrowser: (address) => openOrPlay(address, terminal),
    // A session belongs to the server it came from, and nobody will find this one there again.
    isTemporary: served.url !== url,
  };
}

/** Always the same port, if it can be had. */
async function serve(port, terminal) {
  const platform = createSandbox({ provider: 'prevu3d', nowMs: Date.now });
  try {
    return await serveSandbox(platform, { port });
  } catch ({ code }) {
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be had (${code})`;
    terminal.step('Port', `${port} ${why}, so another one, and a sign-in for this run only`);
    return serveSandbox(platform);
  }
}
