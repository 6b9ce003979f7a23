// const stage = await serveStage(['mortise', 'mortise/browser', 'mortise/providers/prevu3d']);   // what pages may import
// stage.page('/app', { script: `import { createSession } from 'mortise'; …` });   // also `body`; STRICT_CSP and COOP are headers
// await page.goto(`${stage.origin}/app`); … await stage.close();   // stage.originOf('other') is another site
import { execFile } from 'node:child_process';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface StagePage {
  /** A module, in a file of its own, so that `script-src 'self'` lets it run. `mortise/…` is the library. */
  readonly script?: string;
  /** What stands in `<body>`. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** For `headers`: pages that must do without inline scripts, eval and unchecked HTML. */
export const STRICT_CSP = {
  'content-security-policy':
    "default-src 'self'; script-src 'self'; connect-src *; require-trusted-types-for 'script'; trusted-types 'none'",
} as const;

/** For `headers`: cuts the page off from windows of other origins, and them from it. */
export const COOP = { 'cross-origin-opener-policy': 'same-origin' } as const;

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface Stage {
  /** `http://localhost:<port>`: a secure context. */
  readonly origin: string;
  readonly port: number;
  /** Another site on the same port: `http://<name>.localhost:<port>`, a secure context too. */
  originOf(name: string): string;
  /** Puts a page at a path, on every origin alike; a later one takes its place. */
  page(path: string, page: StagePage): void;
  /** Answers a path by hand: a server without CORS, a redirect, one that hangs. */
  answer(path: string, answer: Answer): void;
  /** Every request so far, but those for the library. */
  readonly requests: readonly SeenRequest[];
  close(): Promise<void>;
}

const builds = new Map<string, Promise<Readonly<Record<string, string>>>>();

/** Built in a process of its own, once in a test file. */
function buildLibrary(entries: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const key = entries.join(' ');
  const known = builds.get(key);
  if (known) return known;
  const run = promisify(execFile)(
    process.execPath,
    [join(__dirname, 'web-build.mjs'), ...entries],
    { maxBuffer: 64 * 1024 * 1024 },
  ).then(({ stdout }) => JSON.parse(stdout) as Record<string, string>);
  builds.set(key, run);
  return run;
}

const html = (script: string, body: string) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">
<body>${body}${script && `<script type="module" src="${script}"></script>`}</body></html>`;

/** As a bundler would: the page asks for files, and has no import map, which a strict policy forbids. */
const withPaths = (script: string) =>
  script.replace(/(['"])mortise(\/[\w/-]+)?\1/g, (_, quote, place = '/index') =>
    [quote, `/mortise${place}.js`, quote].join(''),
  );

const listen = (server: Server, port: number, host: string) =>
  new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });

/** Pages on this machine for a real browser, and the library for them to import. */
export async function serveStage(library: readonly string[] = []): Promise<Stage> {
  const files = library.length > 0 ? await buildLibrary(library) : {};
  const answers = new Map<string, Answer>();
  const requests: SeenRequest[] = [];

  const serve: Answer = (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = files[pathname.slice(1)];
    if (file !== undefined) {
      response.writeHead(200, {
        'content-type': 'text/javascript',
        'cache-control': 'max-age=600',
      });
      return response.end(file);
    }
    const { method = '', headers } = request;
    requests.push({ method, url: `http://${headers.host}${request.url}`, headers });
    const answer = answers.get(pathname);
    if (answer) return answer(request, response);
    return response.writeHead(404).end();
  };

  const servers = [createServer(serve), createServer(serve)];
  const port = await listen(servers[0]!, 0, '127.0.0.1');
  // A browser may take localhost for ::1; a machine without it does not matter.
  await listen(servers[1]!, port, '::1').catch(() => {});

  return {
    origin: `http://localhost:${port}`,
    port,
    originOf: (name) => `http://${name}.localhost:${port}`,
    requests,
    page(path, { script = '', body = '', headers = {} }) {
      const scriptPath = `${path}.page.js`;
      const common = { 'cache-control': 'no-store', ...headers };
      answers.set(path, (_, response) =>
        response
          .writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...common })
          .end(html(script && scriptPath, body)),
      );
      answers.set(scriptPath, (_, response) =>
        response
          .writeHead(200, { 'content-type': 'text/javascript', 'cache-control': 'no-store' })
          .end(withPaths(script)),
      );
    },
    answer: (path, answer) => void answers.set(path, answer),
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((closed) => server.close(closed));
      }
    },
  };
}
