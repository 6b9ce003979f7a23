import type {
  Host,
  HttpResponse,
  RedirectOutcome,
  UserAgentVisit,
} from '../../../src/ports/index.js';

/** What each method of the one host function takes here; all of it comes as JSON. */
interface Params {
  readonly id: number;
  readonly [name: string]: unknown;
}

type Played = (params: Params) => unknown;

export interface PlayedHost {
  readonly call: (method: string, paramsJson: string) => string | Promise<string>;
  /** Every method that was called, in order. */
  readonly called: { readonly method: string; readonly params: Params }[];
  /** Replaces what one method does. What it returns is the `result`; what it throws passes as it is. */
  readonly methods: Record<string, Played>;
}

/** Said instead of a result. */
export class Refusal {
  readonly code: string;
  readonly ports: readonly number[];
  constructor(code: string, ports: readonly number[] = []) {
    this.code = code;
    this.ports = ports;
  }
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

interface Visit {
  readonly visit: UserAgentVisit;
  readonly over: AbortController;
}

/** The host function of a program that has all that Node has: what a host author writes, in TypeScript. */
export function playHost(host: Host): PlayedHost {
  const cancels = new Map<number, () => void>();
  const bodies = new Map<number, AsyncIterator<Uint8Array>>();
  const visits = new Map<number, Visit>();
  const askers = new Map<number, Map<number, (url: string) => void>>();
  const outcomes = new Map<number, (outcome: RedirectOutcome) => void>();
  const waiting: { visit: number; url: string; conclude: (outcome: RedirectOutcome) => void }[] =
    [];

  /** Gives each redirect to who asks for one. */
  const match = () => {
    for (const one of [...waiting]) {
      const [id, answer] = [...(askers.get(one.visit) ?? [])][0] ?? [];
      if (id === undefined || !answer) continue;
      waiting.splice(waiting.indexOf(one), 1);
      askers.get(one.visit)?.delete(id);
      outcomes.set(id, one.conclude);
      answer(one.url);
    }
  };

  const piece = async (id: number): Promise<{ body: string; more: boolean }> => {
    const { done, value } = (await bodies.get(id)?.next()) ?? { done: true, value: undefined };
    if (done) {
      bodies.delete(id);
      cancels.delete(id);
    }
    return { body: done ? '' : base64(value as Uint8Array), more: !done };
  };

  const methods: Record<string, Played> = {
    'clock.monotonic': () => host.clock.monotonicMs(),
    random: ({ length }) => base64(host.crypto.randomBytes(length as number)),
    wait: ({ id, ms, background }) =>
      new Promise((resolve) => {
        const after = (background === true && host.clock.inBackground) || host.clock.after;
        const stop = after(ms as number, () => {
          cancels.delete(id);
          resolve(null);
        });
        cancels.set(id, () => {
          stop();
          resolve(null);
        });
      }),
    cancel: ({ id }) => {
      cancels.get(id)?.();
      cancels.delete(id);
      return null;
    },
    'store.get': ({ key }) => host.store.get(key as string),
    'store.set': ({ key, value }) => host.store.set(key as string, value as string),
    'store.remove': ({ key }) => host.store.remove(key as string),
    async http({ id, method, url, headers, body }) {
      const controller = new AbortController();
      cancels.set(id, () => controller.abort());
      const response: HttpResponse = await host.http({
        method: method as string,
        url: url as string,
        headers: headers as Record<string, string>,
        body: typeof body === 'string' ? Buffer.from(body, 'base64') : undefined,
        signal: controller.signal,
      });
      bodies.set(id, response.body[Symbol.asyncIterator]());
      const names = ['content-type', 'location', 'retry-after', 'x-two', 'www-authenticate'];
      const received = names.map((name) => [name, response.headers.get(name)] as const);
      const given = Object.fromEntries(received.filter(([, value]) => value !== null));
      // As HTTP libraries of other languages name them.
      if (given['content-type']) given['Content-Type'] = given['content-type'];
      delete given['content-type'];
      return { status: response.status, headers: given, more: true };
    },
    'http.read': ({ id }) => piece(id),
    async 'browser.reserve'({ id, redirect }) {
      const over = new AbortController();
      cancels.set(id, () => over.abort());
      const visit = (await host.userAgents[0]?.open({
        redirect: redirect as never,
        signal: over.signal,
        onRedirect: (url) =>
          new Promise((conclude) => {
            waiting.push({ visit: id, url, conclude });
            match();
          }),
        onWindow() {},
        device: undefined as never,
      })) as UserAgentVisit;
      visits.set(id, { visit, over });
      askers.set(id, new Map());
      return { redirectUri: visit.redirectUri };
    },
    async 'browser.open'({ id, url }) {
      await visits.get(id)?.visit.navigate(url as string);
      return null;
    },
    'browser.redirect': ({ id, visit }) =>
      new Promise((answer) => {
        askers.get(visit as number)?.set(id, answer);
        cancels.set(id, () => {
          askers.get(visit as number)?.delete(id);
          answer(null);
        });
        match();
      }),
    'browser.outcome': ({ redirect, ...outcome }) => {
      outcomes.get(redirect as number)?.(outcome as unknown as RedirectOutcome);
      return null;
    },
    async 'browser.release'({ id }) {
      await visits.get(id)?.visit.close();
      visits.delete(id);
      askers.delete(id);
      return null;
    },
  };

  const tell = (result: unknown) =>
    JSON.stringify(
      result instanceof Refusal
        ? { error: { code: result.code, ports: result.ports } }
        : { result: result ?? null },
    );

  const called: PlayedHost['called'] = [];
  return {
    methods,
    called,
    call(method, paramsJson) {
      const params = JSON.parse(paramsJson) as Params;
      called.push({ method, params });
      const played = methods[method];
      if (!played) return tell(new Refusal('unsupported'));
      const result = played(params);
      return result instanceof Promise ? result.then(tell) : tell(result);
    },
  };
}
