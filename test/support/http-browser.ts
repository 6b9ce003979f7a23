// Imports nothing of ours: it also runs as a program, in the place of the system's browser.

export interface HttpBrowserOptions {
  /** What the person does at the consent page; or says of a code that it is not theirs. Default `allow`. */
  readonly decision?: 'allow' | 'deny' | 'not mine';
  /** Who signs in. Default `ada`. */
  readonly login?: string;
}

export interface ShownPage {
  readonly url: string;
  readonly status: number;
  readonly text: string;
}

/** A browser without a window, and the person in front of it. */
export interface HttpBrowser {
  /**
   * From an authorization address, through the forms, to the redirect, which is not followed.
   *
   * @throws With the page's text, when the server shows something else than a form to fill in.
   */
  authorize(authorizationUrl: string): Promise<string>;
  /** On another device: types the code, and goes through the forms to the page that says that this is all. */
  answerDevice(verificationUri: string, userCode: string): Promise<ShownPage>;
  /** Loads an address, and what it redirects to. */
  load(url: string): Promise<ShownPage>;
}

interface Cookie {
  readonly origin: string;
  readonly path: string;
  readonly name: string;
  readonly value: string;
}

const MAX_STEPS = 20;

function createCookieJar() {
  let cookies: Cookie[] = [];
  return {
    keep(url: URL, headers: Headers) {
      for (const text of headers.getSetCookie()) {
        const [pair = '', ...attributes] = text.split(/; */);
        const attribute = (name: string) =>
          attributes.find((each) => each.toLowerCase().startsWith(`${name}=`))?.split('=')[1];
        const [name = '', value = ''] = pair.split(/=(.*)/s);
        const { origin } = url;
        const path = attribute('path') ?? '/';
        cookies = cookies.filter((each) => each.name !== name || each.path !== path);
        const expires = attribute('expires');
        if (expires && Date.parse(expires) < Date.now()) continue;
        cookies.push({ origin, path, name, value });
      }
    },
    send: ({ origin, pathname }: URL) =>
      cookies
        .filter((each) => each.origin === origin && pathname.startsWith(each.path))
        .map(({ name, value }) => `${name}=${value}`)
        .join('; '),
  };
}

const attributeOf = (tag: string, name: string) =>
  new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]?.replaceAll('&amp;', '&');

/** The page's first form, filled in: the code where one is asked for, and the login everywhere else. */
function fillIn(html: string, login: string, userCode = '') {
  const form = /<form[^>]*>/.exec(html)?.[0];
  if (!form) return undefined;
  const body = new URLSearchParams();
  for (const [input] of html.matchAll(/<input[^>]*>/g)) {
    const name = attributeOf(input, 'name') ?? '';
    const isTyped = attributeOf(input, 'type') !== 'hidden';
    const typed = name === 'user_code' ? userCode : login;
    body.append(name, isTyped ? typed : (attributeOf(input, 'value') ?? ''));
  }
  return { action: attributeOf(form, 'action') ?? '', body };
}

export function createHttpBrowser({
  decision = 'allow',
  login = 'ada',
}: HttpBrowserOptions = {}): HttpBrowser {
  const jar = createCookieJar();

  async function request(url: URL, body?: URLSearchParams) {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: jar.send(url) },
      ...(body && { method: 'POST', body }),
    });
    jar.keep(url, answer.headers);
    const location = answer.headers.get('location');
    const text = await answer.text();
    return { status: answer.status, text, next: location ? new URL(location, url) : null };
  }

  return {
    async authorize(authorizationUrl) {
      const redirectUri = new URL(authorizationUrl).searchParams.get('redirect_uri') ?? '';
      const place = new URL(redirectUri);
      let url = new URL(authorizationUrl);
      let body: URLSearchParams | undefined;
      for (let step = 0; step < MAX_STEPS; step += 1) {
        const { text, next } = await request(url, body);
        body = undefined;
        if (next?.host === place.host && next.pathname === place.pathname) return next.href;
        const form = next ? undefined : fillIn(text, login);
        const abort = /href="([^"]*\/abort)"/.exec(text)?.[1];
        if (!next && !form) throw new Error(`no form: ${text}`);
        const isDenied = form?.body.get('prompt') === 'consent' && decision === 'deny';
        url = next ?? new URL((isDenied ? abort : form?.action) ?? '', url);
        if (!isDenied) body = form?.body;
      }
      throw new Error('the forms do not end');
    },
    async answerDevice(verificationUri, userCode) {
      let url = new URL(verificationUri);
      let body: URLSearchParams | undefined;
      let isOver = false;
      for (let step = 0; step < MAX_STEPS; step += 1) {
        const { status, text, next } = await request(url, body);
        body = undefined;
        const form = next || isOver ? undefined : fillIn(text, login, userCode);
        if (!next && !form) return { url: url.href, status, text };
        url = next ?? new URL(form?.action ?? '', url);
        body = form?.body;
        if (body?.has('confirm') && decision === 'not mine') {
          body.set('abort', 'yes');
          isOver = true;
        }
        if (body?.get('prompt') === 'consent' && decision === 'deny') {
          url = new URL(/href="([^"]*\/abort)"/.exec(text)?.[1] ?? '', url);
          body = undefined;
          isOver = true;
        }
      }
      throw new Error('the forms do not end');
    },
    async load(address) {
      let url = new URL(address);
      for (let step = 0; step < MAX_STEPS; step += 1) {
        const { status, text, next } = await request(url);
        if (!next) return { url: url.href, status, text };
        url = next;
      }
      throw new Error('the redirects do not end');
    },
  };
}
