import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { FixedOptions } from '../../src/providers/oauth.js';

/** What the test's own requests have in place of a worker's name. */
export const TEST = 'test';

/** One refresh request, as the server saw it. */
export interface SeenRefresh {
  /** Which worker sent it. */
  readonly by: string;
  readonly outcome: 'rotated' | 'repeated' | 'refused';
}

/** Everything that goes back to one sign-in: it ends as a whole. */
interface Family {
  isOver: boolean;
  /** Good for the API. */
  readonly access: Set<string>;
  /** Good for one refresh. */
  refresh: string;
}

interface Issued {
  readonly family: Family;
  readonly answer: string;
}

export interface StrictServerOptions {
  readonly lifetimeS?: number;
  /** What a refresh token that was used before brings: the end of its whole sign-in, no more, or the same again. */
  readonly onReuse?: 'revoke the family' | 'refuse' | 'repeat the answer';
}

/**
 * An authorization server with an API, on a real port, so light that hundreds of refreshes a second are
 * nothing to it. A refresh token is good once; a second use ends the family (RFC 9700 section 4.14.2).
 */
export async function startStrictServer({
  lifetimeS = 7_200,
  onReuse = 'revoke the family',
}: StrictServerOptions = {}) {
  const families = new Set<Family>();
  const codes = new Map<string, { readonly challenge: string }>();
  const spent = new Map<string, Issued>();
  const refreshes: SeenRefresh[] = [];
  const revoked: string[] = [];
  /** Whose they are: not known before a request was read. */
  const sockets = new Map<Socket, string | undefined>();
  let delayMs = () => 0;
  let refusals = 0;
  let onRefusal = () => {};
  let onDecision = () => {};
  let gate: { opened: Promise<void>; arrived: () => void } | undefined;

  const issue = (family: Family): Issued => {
    const access = `access-${randomBytes(24).toString('base64url')}`;
    family.access.add(access);
    family.refresh = `refresh-${randomBytes(24).toString('base64url')}`;
    families.add(family);
    const answer = JSON.stringify({
      access_token: access,
      refresh_token: family.refresh,
      token_type: 'Bearer',
      expires_in: lifetimeS,
    });
    return { family, answer };
  };

  function refresh(token: string, by: string): string | null {
    const earlier = spent.get(token);
    if (earlier && onReuse === 'repeat the answer' && !earlier.family.isOver) {
      refreshes.push({ by, outcome: 'repeated' });
      return earlier.answer;
    }
    const family = earlier?.family ?? [...families].find((each) => each.refresh === token);
    if (earlier && onReuse === 'revoke the family') earlier.family.isOver = true;
    if (!family || family.isOver || earlier) {
      refreshes.push({ by, outcome: 'refused' });
      return null;
    }
    const issued = issue(family);
    spent.set(token, issued);
    refreshes.push({ by, outcome: 'rotated' });
    return issued.answer;
  }

  function exchange(form: URLSearchParams): string | null {
    const code = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (code?.challenge !== challenge) return null;
    return issue({ isOver: false, access: new Set(), refresh: '' }).answer;
  }

  async function answerToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await readForm(request);
    const token = form.get('refresh_token');
    const by = String(request.headers['x-worker'] ?? '');
    // The server has decided before anything can happen to its answer.
    const answer = token === null ? exchange(form) : refresh(token, by);
    const held = gate;
    onDecision();
    held?.arrived();
    await held?.opened;
    const ms = delayMs();
    if (ms > 0) await new Promise((done) => setTimeout(done, ms));
    const status = answer === null ? 400 : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(answer ?? '{"error":"invalid_grant"}');
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://127.0.0.1');
    sockets.set(request.socket, request.headers['x-worker']?.toString());
    if (url.pathname === '/authorize') {
      const code = randomBytes(24).toString('base64url');
      codes.set(code, { challenge: url.searchParams.get('code_challenge') ?? '' });
      const place = new URL(url.searchParams.get('redirect_uri') ?? '');
      place.searchParams.set('code', code);
      place.searchParams.set('state', url.searchParams.get('state') ?? '');
      response.writeHead(302, { location: place.href }).end();
    } else if (url.pathname === '/token') {
      await answerToken(request, response);
    } else if (url.pathname === '/revoke') {
      const token = (await readForm(request)).get('token') ?? '';
      revoked.push(token);
      for (const family of families) {
        if (family.refresh === token || family.access.has(token)) family.isOver = true;
      }
      response.end();
    } else {
      const bearer = request.headers.authorization?.replace('Bearer ', '') ?? '';
      const isGood = [...families].some(({ isOver, access }) => !isOver && access.has(bearer));
      if (!isGood) {
        refusals += 1;
        onRefusal();
      }
      response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' }).end('{}');
    }
  });
  // A connection that ends while it is used again is a fault of its own; here they are made on purpose.
  server.keepAliveTimeout = 600_000;
  server.on('connection', (socket) => {
    sockets.set(socket, undefined);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.unref();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  // A test that fails does not hang.
  server.unref();
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    origin,
    /** For `oauth`, here and in workers. */
    provider: providerAt(origin),
    refreshes,
    /** Tokens somebody gave back. */
    revoked,
    /** From now on the API refuses the access tokens that are out. */
    expireAccess() {
      for (const family of families) family.access.clear();
    },
    /** How many requests the API has refused. */
    get refusals() {
      return refusals;
    },
    /** Resolves when the API has refused so many. */
    refused: (count: number) =>
      new Promise<void>((done) => {
        onRefusal = () => refusals >= count && done();
        onRefusal();
      }),
    /** Resolves when the next token request is decided, and not answered yet. */
    nextDecision: () => new Promise<void>((done) => (onDecision = done)),
    /** The one refresh token that is good; empty when there is none. */
    current: () => [...families].find(({ isOver }) => !isOver)?.refresh ?? '',
    /** Whether a refresh token would be taken. */
    isCurrent: (token: string) =>
      [...families].some(({ isOver, refresh: own }) => !isOver && own === token),
    /** Whether a refresh token was good once, and is used. */
    isSpent: (token: string) => spent.has(token),
    /** How long each answer of the token endpoint takes. */
    delay(ms: () => number) {
      delayMs = ms;
    },
    /** The token endpoint decides, and answers when it is let go. */
    hold() {
      let open = () => {};
      let arrived = () => {};
      const opened = new Promise<void>((done) => (open = done));
      const decided = new Promise<void>((done) => (arrived = done));
      gate = { opened, arrived };
      return {
        /** A request is there, and decided. */
        decided,
        release() {
          gate = undefined;
          open();
        },
      };
    },
    /** Resolves when nothing that processes sent before they died is on its way any more. */
    async quiet() {
      // Who connected earlier is accepted earlier.
      await fetch(`${origin}/quiet`, { headers: { 'x-worker': TEST } });
      while ([...sockets.values()].some((name) => name !== TEST)) {
        await new Promise((done) => setTimeout(done, 1));
      }
    },
    async stop() {
      for (const socket of sockets.keys()) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

export type StrictServer = Awaited<ReturnType<typeof startStrictServer>>;

/** The same server by another address, such as that of a proxy. */
export const providerAt = (origin: string): FixedOptions => ({
  authorizationEndpoint: `${origin}/authorize`,
  tokenEndpoint: `${origin}/token`,
  revocationEndpoint: `${origin}/revoke`,
  clientId: 'plug-in',
  scopes: ['read'],
  apiBaseUrl: `${origin}/api`,
});

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return new URLSearchParams(text);
}
