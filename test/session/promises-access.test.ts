// What is lent of a session, and where its API is: it ends when it is to end, and one user's is never another's.
// Each row was once a line that could be changed without a test noticing (npm run mutate).
import { getEventListeners } from 'node:events';
import { MortiseError } from '../../src/errors.js';
import type { ApiSend, ApiTools, PlatformApi, Provider } from '../../src/oauth/provider.js';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { createDesk, failing, personProvider, RENEW } from './support.js';

interface OpenApi extends PlatformApi {
  readonly tools: ApiTools;
}

/** An API that shows its author's tools, below a base that is asked for. */
function openProvider(base: () => Promise<string>): Provider<OpenApi> {
  const { displayName: _, ...provider } = personProvider();
  return { ...provider, api: (tools) => ({ request: tools.connect(base), tools }) };
}

const EU = 'https://api.example/v1/eu';
const US = 'https://api.example/v1/us';

async function open() {
  const desk = createDesk();
  /** What the platform says when it is asked for the base, one after the other. */
  const bases: (string | Error | Promise<string>)[] = [];
  let asked = 0;
  const provider = openProvider(async () => {
    asked += 1;
    const base = bases.shift() ?? EU;
    if (base instanceof Error) throw base;
    return base;
  });
  const own = await desk.signedIn({ provider });
  const request = (send: ApiSend = own.session.api.request) => send({ path: 'x' });
  return { desk, own, session: own.session, bases, request, asked: () => asked };
}

const offline = () => new MortiseError('network_error', { host: 'platform.example' });

describe('what is lent', () => {
  test('ends with its signal: nothing is asked of anybody after that', async () => {
    const { desk, session } = await open();
    const controller = new AbortController();
    const lent = session.share({ signal: controller.signal });
    const { tools } = lent.api;
    await tools.readDocument('https://auth.example/document');
    controller.abort();
    const before = desk.server.requests.length;
    const later = [
      () => lent.getAccessToken(),
      () => lent.getAccessToken(RENEW),
      () => tools.metadata(),
      () => tools.readDocument('https://auth.example/document'),
    ];
    for (const each of later) await expect(each()).rejects.toEqual(failing('aborted'));
    await settle();
    expect(desk.server.requests).toHaveLength(before);
    // The session itself goes on.
    await session.getAccessToken(RENEW);
    await session.api.tools.readDocument('https://auth.example/document');
    expect(desk.server.requests).toHaveLength(before + 2);
  });

  test.each(['its signal', 'the session'])('leaves no listener when %s ends it', async (end) => {
    const { session } = await open();
    const controller = new AbortController();
    session.share({ signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    if (end === 'the session') await session.close();
    else controller.abort();
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('knows which tokens are secret: the session’s, and those for fewer scopes', async () => {
    const { session } = await open();
    const { secrets } = session.api.tools;
    const own = await session.getAccessToken();
    expect(secrets()).toEqual([own]);
    const lent = await session.share({ scopes: ['read'] }).getAccessToken();
    expect(secrets()).toEqual([own, lent]);
    await session.signOut();
    expect(secrets().filter(Boolean)).toEqual([]);
  });

  test('for fewer scopes cannot be had without a refresh token, and that is said', async () => {
    const desk = createDesk();
    desk.server.next(() => ({
      json: { access_token: 'only', token_type: 'Bearer', expires_in: 60 },
    }));
    const { session } = await desk.signedIn();
    const problem = 'without a refresh token there is no token for fewer scopes';
    await expect(session.share({ scopes: ['read'] }).getAccessToken()).rejects.toEqual(
      failing('configuration_error', { problem }),
    );
  });
});

describe('case 155: the base of an API', () => {
  test('is the last one while the platform cannot be asked, and is asked for again', async () => {
    const { desk, session, bases, request, asked } = await open();
    bases.push(US, offline(), EU);
    for (const path of ['us/x', 'us/x', 'eu/x', 'eu/x']) {
      await request();
      expect(desk.calls.at(-1)?.path).toBe(path);
      if (path === 'us/x') await session.getAccessToken(RENEW);
    }
    expect(asked()).toBe(3);
  });

  test.each<[name: string, error: Error]>([
    ['its answer is wrong', new MortiseError('malformed_response', { problem: 'no base' })],
    ['its author’s code fails', Object.assign(new TypeError('x'), { retryable: true })],
  ])('is not the last one when %s', async (_, error) => {
    const { session, bases, request, desk } = await open();
    await request();
    await session.getAccessToken(RENEW);
    bases.push(error);
    await expect(request()).rejects.toBe(error);
    await request();
    expect(desk.calls).toHaveLength(2);
  });

  test('that nobody has said so far is missing: why is said', async () => {
    const { bases, request, asked } = await open();
    const error = offline();
    bases.push(error);
    await expect(request()).rejects.toBe(error);
    await request();
    expect(asked()).toBe(2);
  });

  test('is never that of the user before', async () => {
    const { own, bases, request, desk } = await open();
    bases.push(US);
    await request();
    await own.signIn('bob');
    const error = offline();
    bases.push(error);
    await expect(request()).rejects.toBe(error);
    expect(desk.calls).toHaveLength(1);
  });

  test('that comes late changes nothing: neither what it is by then, nor who waits for another', async () => {
    const { session, bases, request, desk, asked } = await open();
    const late = deferred<string>();
    const error = offline();
    bases.push(late.promise, error, US);
    const first = request();
    await settle();
    await session.getAccessToken(RENEW);
    // Of that no base is known yet, either.
    await expect(request()).rejects.toBe(error);
    await session.getAccessToken(RENEW);
    await request();
    late.reject(error);
    await expect(first).rejects.toBe(error);
    await request();
    expect(asked()).toBe(3);
    expect(desk.calls.map(({ path }) => path)).toEqual(['us/x', 'us/x']);
  });
});
