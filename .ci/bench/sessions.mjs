import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createSession, memoryStore } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { interleave, median, number, printTable } from './table.mjs';

const HOUR_S = 3600;

/** Starts the server, hands it to `use`, and stops it whatever happens. */
async function withServer(use) {
  const child = fork(new URL('server.mjs', import.meta.url));
  try {
    const [{ port }] = await once(child, 'message');
    const ask = async (question) => {
      child.send(question);
      const [{ tokenRequests }] = await once(child, 'message');
      return tokenRequests;
    };
    await use({ origin: `http://127.0.0.1:${port}`, ask });
  } finally {
    child.disconnect();
  }
}

/** Signs in as a user would, with a browser that agrees to everything. */
async function signIn(origin, lifetimeS) {
  const session = createSession({
    host: createNodeHost({
      store: memoryStore(),
      openBrowser: async (url) => void (await fetch(url)).body?.cancel(),
    }),
    provider: oauth({
      authorizationEndpoint: `${origin}/authorize`,
      tokenEndpoint: `${origin}/token/${lifetimeS}`,
      clientId: 'bench',
      scopes: ['read'],
      apiBaseUrl: `${origin}/api`,
    }),
  });
  await session.signIn();
  return session;
}

async function accessTokens(session) {
  const CALLS = 100_000;
  const measure = async (call) => {
    const startMs = performance.now();
    for (let index = 0; index < CALLS; index += 1) await call();
    return ((performance.now() - startMs) * 1e6) / CALLS;
  };
  const empty = async () => 'a token';
  const tasks = {
    'session.getAccessToken()': () => measure(() => session.getAccessToken()),
    'session.getAccessToken({ minValidityMs })': () =>
      measure(() => session.getAccessToken({ minValidityMs: 60_000 })),
    'an async function that returns a string': () => measure(() => empty()),
  };
  await interleave(2, tasks);
  const times = await interleave(15, tasks);
  printTable(`A token that is still valid, median of 15 times ${number(CALLS)} calls`, [
    ['call', 'ns'],
    ...Object.entries(times).map(([name, ns]) => [name, number(median(ns))]),
  ]);
}

async function authorisedGets(session, origin) {
  const REQUESTS = 2_000;
  const IN_FLIGHT = 32;
  const headers = { authorization: `Bearer ${await session.getAccessToken()}` };
  const measure = async (get) => {
    let left = REQUESTS;
    const worker = async () => {
      while (left > 0) {
        left -= 1;
        await get();
      }
    };
    const startMs = performance.now();
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    return (REQUESTS / (performance.now() - startMs)) * 1000;
  };
  const tasks = {
    'session.api.request': () =>
      measure(async () => (await session.api.request({ path: '/document' })).text()),
    'bare fetch': () =>
      measure(async () => (await fetch(`${origin}/api/document`, { headers })).text()),
    'fetch with a time limit': () =>
      measure(async () => {
        const signal = AbortSignal.timeout(30_000);
        return (await fetch(`${origin}/api/document`, { headers, signal })).text();
      }),
  };
  await interleave(3, tasks);
  const rates = await interleave(21, tasks);
  const bare = median(rates['bare fetch']);
  printTable(
    `GET with a token over loopback, ${IN_FLIGHT} in flight, median of 21 times ${number(REQUESTS)}`,
    [
      ['with', 'requests/s', 'to bare fetch'],
      ...Object.entries(rates).map(([name, perSecond]) => [
        name,
        number(median(perSecond)),
        `${number(median(perSecond) / bare)} x`,
      ]),
    ],
  );
}

async function manyCallers(origin, ask) {
  const CALLERS = 10_000;
  await ask('reset');
  const session = await signIn(origin, 1);
  const before = await ask('count');
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const startMs = performance.now();
  const tokens = await Promise.all(Array.from({ length: CALLERS }, () => session.getAccessToken()));
  const tookMs = performance.now() - startMs;
  const served = tokens.filter((token) => token === tokens[0] && token).length;
  printTable(`${number(CALLERS)} callers at once, the token expired`, [
    ['callers served', 'token requests', 'ms in all, 50 of them the server’s'],
    [number(served), number((await ask('count')) - before), number(tookMs)],
  ]);
  await session.close();
}

export async function sessions() {
  await withServer(async ({ origin, ask }) => {
    const session = await signIn(origin, HOUR_S);
    console.log('- asking for a valid token');
    await accessTokens(session);
    console.log('- sending requests');
    await authorisedGets(session, origin);
    await session.close();
    console.log('- many callers at once');
    await manyCallers(origin, ask);
  });
}
