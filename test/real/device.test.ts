// Signing in where no browser is, against a certified server nobody here wrote, through real sockets.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  createSession,
  deviceUserAgent,
  memoryStore,
  type AnyMortiseError,
  type AuthorizingState,
  type DeviceTools,
  type StateChange,
  type UserAgent,
} from 'mortise';
import { createNodeHost, fetchTransport } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { createHttpBrowser } from '../support/http-browser.js';
import { startOidcServers, type OidcClient, type OidcServers } from '../support/oidc-process.js';

const PROGRAM = join(__dirname, '../support/device-child.mjs');

let servers: OidcServers;
let closers: (() => unknown)[];

beforeAll(async () => {
  servers = await startOidcServers();
});
afterAll(() => servers.stop());
beforeEach(() => {
  closers = [];
});
afterEach(async () => {
  for (const close of closers) await close();
});

/** A device whose seconds are hundredths: nobody waits for real ones here. */
function createDevice(
  client: OidcClient,
  change: (device: DeviceTools) => Partial<DeviceTools> = () => ({}),
) {
  const waits: number[] = [];
  const posts: { path: string; form: Record<string, string>; json: any }[] = [];
  const send = fetchTransport();
  const hasty: UserAgent = {
    open(request) {
      const wait = (ms: number) => {
        waits.push(ms);
        return request.device.wait(ms / 100);
      };
      const device = { ...request.device, wait };
      return deviceUserAgent().open({ ...request, device: { ...device, ...change(device) } });
    },
  };
  const host = createNodeHost({
    store: memoryStore(),
    userAgents: () => [hasty],
    async http(request) {
      const { body, ...answer } = await send(request);
      let text = '';
      for await (const chunk of body) text += new TextDecoder().decode(chunk);
      if (request.method === 'POST') {
        const form = Object.fromEntries(new URLSearchParams(String(request.body)));
        const json = text.startsWith('{') ? JSON.parse(text) : null;
        posts.push({ path: new URL(request.url).pathname, form, json });
      }
      const again = async function* () {
        yield new TextEncoder().encode(text);
      };
      return { ...answer, body: again() };
    },
  });
  const session = createSession({
    host,
    provider: oauth({
      issuer: servers.issuer,
      clientId: client.client_id,
      scopes: ['openid', 'email', 'offline_access'],
    }),
  });
  closers.push(() => session.close());
  const changes: StateChange[] = [];
  let shown: (state: AuthorizingState) => void;
  const authorizing = new Promise<AuthorizingState>((resolve) => (shown = resolve));
  session.onChange((made) => {
    changes.push(made);
    if (session.state.name === 'authorizing' && session.state.device) shown(session.state);
  });
  return {
    session,
    changes,
    waits,
    posts,
    /** What the user reads. */
    device: async () => {
      const { device } = await authorizing;
      if (!device) throw new Error('no code is shown');
      return device;
    },
    failureOf: (promise: Promise<unknown>) =>
      promise.then(
        () => new Error('it did not fail'),
        (error: unknown) => error as AnyMortiseError,
      ),
  };
}

/** What was said to each request for tokens. */
const told = (posts: ReturnType<typeof createDevice>['posts']) =>
  posts.filter(({ form }) => form['device_code']).map(({ json }) => json.error ?? 'tokens');

test('case 173: the code is typed elsewhere, and the tokens are there; then everything is as ever', async () => {
  const { session, device, posts, waits, changes } = createDevice(servers.clients.device);
  const done = session.signIn();
  const shown = await device();
  expect(shown).toEqual({
    userCode: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/),
    verificationUri: `${servers.issuer}/device`,
    verificationUriComplete: `${servers.issuer}/device?user_code=${shown.userCode}`,
  });
  while (told(posts).length < 3) await new Promise((later) => setTimeout(later, 20));
  const page = await createHttpBrowser().answerDevice(
    shown.verificationUri,
    shown.userCode.toLowerCase(),
  );
  expect(page.text).toContain('Sign-in Success');
  await done;
  expect(session.state).toMatchObject({
    name: 'signedIn',
    scopes: ['openid', 'email', 'offline_access'],
  });
  expect(await session.api.userInfo()).toMatchObject({ email: 'ada@people.example' });
  const answers = told(posts);
  expect(answers.slice(0, 3)).toEqual(Array(3).fill('authorization_pending'));
  expect(answers.filter((answer) => answer === 'tokens')).toHaveLength(1);
  // This server names no interval.
  expect(new Set(waits)).toEqual(new Set([5_000]));
  expect(changes.map(({ event }) => event)).toEqual([
    'signInRequested',
    'addressReady',
    'redirectReceived',
    'tokensIssued',
  ]);
  const first = await session.getAccessToken();
  expect(await session.getAccessToken({ minValidityMs: 1e12 })).not.toBe(first);
  await session.signOut();
  expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
});

test('the link with the code in it leads to the same', async () => {
  const { session, device } = createDevice(servers.clients.device);
  const done = session.signIn();
  const { verificationUriComplete, userCode } = await device();
  await createHttpBrowser().answerDevice(verificationUriComplete ?? '', userCode);
  await done;
  expect(session.state.name).toBe('signedIn');
});

test.each(['deny', 'not mine'] as const)('case 175: "%s" is access_denied', async (decision) => {
  const { session, device, failureOf, posts } = createDevice(servers.clients.device);
  const failure = failureOf(session.signIn());
  const { verificationUri, userCode } = await device();
  await createHttpBrowser({ decision }).answerDevice(verificationUri, userCode);
  expect(await failure).toMatchObject({
    code: 'access_denied',
    details: { error: 'access_denied', status: 400 },
  });
  expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
  const { length } = told(posts);
  await new Promise((later) => setTimeout(later, 200));
  expect(told(posts)).toHaveLength(length);
});

test('case 175: codes that nobody has typed in time', async () => {
  const { session, failureOf } = createDevice(servers.clients.shortDevice);
  expect(await failureOf(session.signIn())).toMatchObject({
    code: 'sign_in_timeout',
    details: { timeoutMs: expect.any(Number) },
  });
});

test('case 175: codes that are older than the server has said', async () => {
  const { session, failureOf, posts } = createDevice(servers.clients.shortDevice, (device) => ({
    begin: async () => ({ ...(await device.begin()), expires_in: 600 }),
  }));
  const error = await failureOf(session.signIn());
  // A moment later this server has forgotten that there ever was such a code.
  const last = told(posts).at(-1);
  expect(['expired_token', 'invalid_grant']).toContain(last);
  expect(error).toMatchObject(
    last === 'expired_token'
      ? { code: 'sign_in_timeout', details: { timeoutMs: 600_000 } }
      : { code: 'invalid_grant' },
  );
});

test('a client that may not do this is told so', async () => {
  const { session, failureOf } = createDevice(servers.clients.native);
  expect(await failureOf(session.signIn())).toMatchObject({
    code: 'oauth_error',
    details: { errorDescription: expect.stringContaining('not allowed for this client') },
  });
});

describe('a program without a display', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mortise-device-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function start({ client_id }: OidcClient) {
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
    const child = spawn(process.execPath, [PROGRAM, servers.issuer, client_id], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    closers.push(() => child.kill('SIGKILL'));
    const said: any[] = [];
    let heard = () => {};
    createInterface(child.stdout).on('line', (line) => {
      said.push(JSON.parse(line));
      heard();
    });
    const exited = once(child, 'exit');
    return {
      said,
      exited,
      paste: (text: string) => void child.stdin.write(`${text}\n`),
      async hear<T>(find: (line: any) => T | undefined): Promise<T> {
        for (;;) {
          const found = said.map(find).find((each) => each !== undefined);
          if (found !== undefined) return found;
          const more = new Promise<void>((resolve) => (heard = resolve));
          await Promise.race([
            more,
            exited.then(() => Promise.reject(new Error(JSON.stringify(said)))),
          ]);
        }
      },
    };
  }

  const onLinux = process.platform === 'linux' ? test : test.skip;

  onLinux('shows a code, and ends when it is done', async () => {
    const program = start(servers.clients.device);
    const device = await program.hear(({ state }) => state?.device);
    expect(program.said.map(({ event, error }) => [event, error])).toEqual([
      ['signInRequested', undefined],
      ['addressReady', undefined],
      ['windowLost', 'browser_not_opened'],
      ['addressReady', undefined],
    ]);
    await createHttpBrowser().answerDevice(device.verificationUri, device.userCode);
    expect(await program.hear(({ user }) => user)).toMatchObject({ sub: 'ada' });
    expect(await program.exited).toEqual([0, null]);
  });

  onLinux('asks to paste where the server gives it no code', async () => {
    const program = start(servers.clients.native);
    const url = await program.hear(({ state }) =>
      state?.answerBy === 'paste' ? (state.authorizationUrl as string) : undefined,
    );
    const { searchParams } = new URL(url);
    expect(searchParams.get('redirect_uri')).toBe('http://127.0.0.1:4/callback');
    program.paste('http://127.0.0.1:4/callback?code=other&state=other');
    expect(await program.hear(({ code }) => code)).toBe('malformed_response');
    program.paste(await createHttpBrowser().authorize(url));
    expect(await program.hear(({ user }) => user)).toMatchObject({ sub: 'ada' });
    expect(await program.exited).toEqual([0, null]);
  });
});
