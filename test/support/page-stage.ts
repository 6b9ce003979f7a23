// Real pages with the parts of page-parts.ts in them, and a strict authorization server that they may ask across origins.
import { execFile } from 'node:child_process';
import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FixedOptions } from '../../src/providers/oauth.js';
import type * as PageParts from './page-parts.js';
import { startStrictServer, type StrictServer, type StrictServerOptions } from './strict-server.js';
import { serveStage, type Stage } from './web-stage.js';

declare global {
  /** In a page: what page-build.mjs makes of page-parts.ts. */
  var Parts: typeof PageParts;
}

/** Where a page, or a frame in it, takes what is done there: playwright-core and puppeteer-core have this alike. */
export interface Place {
  evaluate<A, R>(task: (argument: A) => R, argument: A): Promise<Awaited<R>>;
}

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'authorization, content-type',
};

/** Any token endpoint for public clients says to browsers what this says. */
function withCors(origin: string) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    if (request.method === 'OPTIONS') return void response.writeHead(204, CORS).end();
    const { method, headers } = request;
    const passed = forward(new URL(request.url ?? '', origin), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, { ...answer.headers, ...CORS });
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  };
}

export interface PageStage {
  readonly stage: Stage;
  /** The script with the global `Parts`, for pages that have no address to load it from. */
  readonly script: string;
  /** A page with the parts in it. */
  readonly url: string;
  /** A new server, of which no page has tokens. */
  begin(options?: StrictServerOptions): Promise<{ server: StrictServer; provider: FixedOptions }>;
  /** Plays the user: who agrees at once. */
  signIn(place: Place): Promise<ReturnType<typeof PageParts.look>>;
  close(): Promise<void>;
}

export async function servePages(): Promise<PageStage> {
  const { stdout: script } = await promisify(execFile)(
    process.execPath,
    [join(__dirname, 'page-build.mjs')],
    { maxBuffer: 16 * 1024 * 1024 },
  );
  const stage = await serveStage();
  const servers: StrictServer[] = [];
  const headers = { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-store' };
  stage.answer('/parts.js', (_, response) => response.writeHead(200, headers).end(script));
  stage.page('/', { body: '<script src="/parts.js"></script>' });

  return {
    stage,
    script,
    url: `${stage.origin}/`,
    async begin(options) {
      await servers.pop()?.stop();
      const server = await startStrictServer(options);
      servers.push(server);
      for (const path of ['/token', '/revoke', '/api/thing']) {
        stage.answer(path, withCors(server.origin));
      }
      // Another origin than that of the pages.
      const origin = `http://127.0.0.1:${stage.port}`;
      const { authorizationEndpoint } = server.provider;
      const provider = {
        ...server.provider,
        authorizationEndpoint,
        tokenEndpoint: `${origin}/token`,
        revocationEndpoint: `${origin}/revoke`,
        apiBaseUrl: `${origin}/api`,
      };
      return { server, provider };
    },
    async signIn(place) {
      const begun = await place.evaluate(
        (redirectUri) => Parts.beginSignIn(redirectUri),
        `${stage.origin}/callback`,
      );
      if (typeof begun !== 'string') throw new Error(JSON.stringify(begun));
      const { headers: answer } = await fetch(begun, { redirect: 'manual' });
      const done = await place.evaluate(
        (redirectUrl) => Parts.completeSignIn(redirectUrl),
        answer.get('location') ?? '',
      );
      if ('error' in done) throw new Error(JSON.stringify(done));
      return done;
    },
    async close() {
      await stage.close();
      for (const server of servers) await server.stop();
    },
  };
}
