import {
  createSandbox,
  sandboxEnvironment,
  type Sandbox,
  type SandboxProvider,
} from 'mortise/sandbox';
import { serveSandbox } from 'mortise/node';
import { COOP, STRICT_CSP, serveStage, type StagePage } from './web-stage.js';

/** What playwright-core and puppeteer-core have alike of a frame. */
interface EngineFrame {
  click(selector: string): Promise<unknown>;
  evaluate(expression: string): Promise<unknown>;
  waitForSelector(selector: string): Promise<unknown>;
  url(): string;
}

interface EnginePage extends EngineFrame {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  goBack(): Promise<unknown>;
  close(): Promise<unknown>;
  isClosed(): boolean;
  frames(): readonly EngineFrame[];
}

export interface Frame extends EngineFrame {
  /** Until the expression is true. Asked from outside, for a policy of the page may forbid to do it inside. */
  until(expression: string): Promise<void>;
}

/** A page of a real browser. */
export interface Tab extends Frame, Omit<EnginePage, 'frames'> {
  /** The one inside it that shows an address that begins so. */
  frame(address: string): Promise<Frame>;
}

const WAIT_MS = 20_000;

async function poll<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`not within ${WAIT_MS} ms: ${what}`);
}

const asFrame = <F extends EngineFrame>(frame: F): F & Frame =>
  Object.assign(frame, {
    until: (expression: string) =>
      poll<void>(expression, async () => {
        // While a page gives way to another it cannot be asked.
        const isTrue = await frame.evaluate(`!!(${expression})`).catch(() => false);
        return isTrue ? null! : undefined;
      }),
  });

export const asTab = (page: EnginePage): Tab =>
  Object.assign(asFrame(page), {
    frame: async (address: string) =>
      asFrame(
        await poll(address, async () =>
          page
            .frames()
            .slice(1)
            .find((it) => it.url().startsWith(address)),
        ),
      ),
  });

export interface Driver {
  open(url: string): Promise<Tab>;
  /** The tab or window that comes of it. */
  opened(act: () => Promise<unknown>): Promise<Tab>;
}

export const LIBRARY = [
  'mortise',
  'mortise/browser',
  'mortise/providers/prevu3d',
  'mortise/providers/speckle',
];

/** The redirect page, and nothing else on it. */
export const REDIRECT_PAGE: StagePage = {
  script: `import { deliverRedirect } from 'mortise/browser'; window.delivery = await deliverRedirect();`,
  headers: { ...STRICT_CSP, 'referrer-policy': 'no-referrer' },
};

export interface AppOptions {
  readonly provider?: 'prevu3d' | 'speckle';
  /** The answers of the platform, bent. */
  readonly bend?: (sandbox: Sandbox) => Sandbox;
  readonly headers?: Readonly<Record<string, string>>;
  /** Runs in the page before anything of the library is loaded. */
  readonly before?: string;
  /** More of what `createBrowserHost` takes, as source. */
  readonly host?: string;
}

/** Adds headers to what a person sees of a platform. */
export const withHeaders =
  (added: Readonly<Record<string, string>>) =>
  (sandbox: Sandbox): Sandbox =>
  async (request) => {
    const response = await sandbox(request);
    return { ...response, headers: new Map([...response.headers, ...Object.entries(added)]) };
  };

export const withCoop = withHeaders(COOP);

const PROVIDERS: Readonly<Record<'prevu3d' | 'speckle', string>> = {
  prevu3d: `prevu3d({ clientId: 'panel', scopes: ['read:basic', 'read:hierarchy'], environment })`,
  speckle: `speckle({ appId: 'panel', redirectUri, ...environment })`,
};

/** What the page of an app is made of; it hangs everything on \`app\`, for the test to look at. */
const appScript = (
  { provider = 'prevu3d', before = '', host = '' }: AppOptions,
  redirectUri: string,
  environment: unknown,
) => `
${before}
const [{ createSession, memoryStore, MortiseError }, browser, { prevu3d }, { speckle }] = await Promise.all([
  import('mortise'), import('mortise/browser'),
  import('mortise/providers/prevu3d'), import('mortise/providers/speckle'),
]);
const redirectUri = ${JSON.stringify(redirectUri)};
const environment = ${JSON.stringify(environment)};
const host = browser.createBrowserHost({ redirectUri, ${host} });
const session = createSession({ host, provider: ${PROVIDERS[provider]} });
const app = window.app = { session, host, browser, events: [], errors: [], outcome: null };
session.onChange(({ event, error }) => {
  app.events.push(event);
  if (error) app.errors.push(error.code);
  const link = document.querySelector('#link');
  link.href = session.state.authorizationUrl ?? '';
});
document.querySelector('#in').onclick = () => {
  app.stop = new AbortController();
  app.outcome = null;
  session.signIn({ signal: app.stop.signal }).then(
    () => (app.outcome = 'signedIn'),
    (error) => (app.outcome = error.code),
  );
};
document.querySelector('#away').onclick = async () => {
  location.assign((await session.beginSignIn({ redirectUri })).authorizationUrl);
};
app.isReady = true;
`;

const APP_BODY = `<button id="in">Sign in</button> <button id="away">Sign in here</button>
<a id="link" target="_blank">Sign in</a>`;

/** An app at \`/app\`, its redirect page where the platform wants it, and the platform at another origin. */
export async function serveApp(options: AppOptions = {}) {
  const { provider = 'prevu3d', bend = (sandbox) => sandbox, headers = {} } = options;
  const stage = await serveStage(LIBRARY);
  const redirectPath = provider === 'prevu3d' ? '/' : '/callback';
  const redirectUri = provider === 'prevu3d' ? stage.origin : `${stage.origin}${redirectPath}`;
  const platform = await serveSandbox(
    bend(createSandbox({ provider: provider as SandboxProvider, redirectUris: [redirectUri] })),
  );
  const environment = sandboxEnvironment(provider, platform.url);
  const script = appScript(options, redirectUri, environment);
  stage.page('/app', { script, body: APP_BODY, headers });
  stage.page(redirectPath, REDIRECT_PAGE);
  return {
    stage,
    platform,
    redirectUri,
    appUrl: `${stage.origin}/app`,
    /** What the page of the app is made of, for another page to be the same. */
    script,
    body: APP_BODY,
    redirectPath,
    async close() {
      await stage.close();
      await platform.close();
    },
  };
}

export type App = Awaited<ReturnType<typeof serveApp>>;

export async function openApp(driver: Driver, url: string): Promise<Tab> {
  const tab = await driver.open(url);
  await tab.until('window.app?.isReady === true');
  return tab;
}

export const ALLOW = 'button[value=allow]';
