import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { MortiseError } from '../../src/errors.js';
import type { Clock, VisitRequest } from '../../src/ports/index.js';
import { SECURITY_HEADERS, buildLandingPage } from './landing-page.js';
import type { LandingPage, LandingTexts } from './landing-page.js';

/** How long a closing port waits for the browser to fetch what the user is to see. */
const FAREWELL_MS = 700;
const MAX_HEADERS = 100;

/** The status for a request that is malformed or meant for another host, whatever its path. */
function readRefusal(request: IncomingMessage, host: string): number | undefined {
  const { method, url = '', headers, headersDistinct, rawHeaders, httpVersionMajor } = request;
  if (httpVersionMajor !== 1) return 505;
  const hasBody = 'transfer-encoding' in headers || Number(headers['content-length'] ?? 0) !== 0;
  if (method === 'GET' && hasBody) return 413;
  if (rawHeaders.length > 2 * MAX_HEADERS) return 431; // names and values
  if (headersDistinct['host']?.length !== 1) return 400;
  if (headers.host !== host) return 421; // a name that was rebound to this machine
  // Origin form only (RFC 9112 section 3.2.1), without a fragment.
  return /^\/(?!\/)[!"$-~]*$/.test(url) ? undefined : 400;
}

/** False for an image, a frame, a `fetch` or a prefetch: no web page may answer a sign-in unseen. */
function isNavigation({ headers }: IncomingMessage): boolean {
  const { 'sec-fetch-dest': dest = 'document', 'sec-purpose': secPurpose, purpose } = headers;
  return dest === 'document' && !/prefetch/i.test(`${secPurpose} ${purpose}`);
}

function send(response: ServerResponse, { status, headers, body }: LandingPage, more: object = {}) {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body), ...more });
  response.end(body);
}

/** The redirection endpoint (RFC 6749 section 3.1.2): answers, and knows what it still has to show. */
export function createRedirectionEndpoint(
  redirectUri: string,
  texts: LandingTexts,
  onRedirect: VisitRequest['onRedirect'],
) {
  const { origin, host, pathname } = new URL(redirectUri);
  const resultPages = new Map<string, LandingPage>();
  const taken = new WeakSet<Duplex>();
  let unanswered = 0;
  /** Redirects that were answers, and the page each led to: a reload is told the same. */
  const pathsByTarget = new Map<string, string>();
  let pagesOwed = 0; // browsers that were sent to a result page and have not fetched it yet
  let isClosing = false;
  let onSettled = () => {};
  const settle = () => {
    if (unanswered === 0 && pagesOwed === 0) onSettled();
  };

  async function answerRedirect(target: string, response: ServerResponse) {
    unanswered += 1;
    response.once('close', () => {
      unanswered -= 1;
      settle();
    });
    const outcome = await onRedirect(origin + target);
    if (outcome.kind === 'ignored') return send(response, buildLandingPage(400, texts, outcome));
    // The page has an address of its own, so that code and state leave the address bar.
    const name = outcome.kind === 'signedIn' ? 'signed-in' : 'not-signed-in';
    const path = `${pathname.replace(/\/$/, '')}/${name}`;
    resultPages.set(path, buildLandingPage(200, texts, outcome));
    pathsByTarget.set(target, path);
    sendTo(path, response);
  }

  function sendTo(path: string, response: ServerResponse) {
    if (!response.destroyed) pagesOwed += 1;
    const moved = { status: 303, headers: SECURITY_HEADERS, body: '' };
    send(response, moved, { Location: origin + path });
  }

  return {
    answer(request: IncomingMessage, response: ServerResponse): void {
      // One request per connection: what was smuggled in behind it is never looked at.
      if (taken.has(request.socket)) return;
      taken.add(request.socket);
      const refuse = (status: number, more?: object) =>
        send(response, buildLandingPage(status, texts, { kind: 'refused' }), more);

      const refusal = readRefusal(request, host);
      if (refusal) return refuse(refusal);
      const target = request.url ?? '';
      const path = target.split('?', 1)[0] ?? '';
      const page = resultPages.get(path);
      if (path !== pathname && !page) return refuse(404);
      if (request.method !== 'GET') return refuse(405, { Allow: 'GET' });
      if (page) {
        response.once('close', () => {
          pagesOwed = Math.max(0, pagesOwed - 1);
          settle();
        });
        return send(response, page);
      }
      if (!isNavigation(request)) return refuse(403);
      const known = pathsByTarget.get(target);
      if (known) return sendTo(known, response);
      if (isClosing) return send(response, buildLandingPage(400, texts, { kind: 'ignored' }));
      answerRedirect(target, response).catch(() => {
        const error = new MortiseError('aborted', {});
        send(response, buildLandingPage(500, texts, { kind: 'failed', error }));
      });
    },

    /** Answers what the parser refused, on the bare socket. */
    answerMalformed({ code }: NodeJS.ErrnoException, socket: Duplex): void {
      // After a request there is an answer under way, and a silent connection has asked nothing.
      const isOwed = !taken.has(socket) && code !== 'ERR_HTTP_REQUEST_TIMEOUT';
      if (!isOwed || !socket.writable) return void socket.destroy();
      const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
      socket.end(`HTTP/1.1 ${status} \r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => {
        socket.destroy();
      });
    },

    /** Takes no more redirects; resolves when what was begun has been shown, or after a moment. */
    farewell(clock: Clock): Promise<void> {
      isClosing = true;
      return new Promise((done) => {
        const cancel = clock.after(FAREWELL_MS, done);
        onSettled = () => {
          cancel();
          done();
        };
        settle();
      });
    },
  };
}
