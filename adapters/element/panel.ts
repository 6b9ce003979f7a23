import type { MortiseError } from '../../src/errors.js';
import type { StateChange } from '../../src/session/machine.js';
import type { SessionState } from '../../src/session/state.js';
import type { SignInSession } from './sign-in-session.js';
import { createSkeleton } from './skeleton.js';
import { addStyle } from './style.js';
import { ENGLISH, fill, type Texts } from './texts.js';
import { timeLeft } from './time-left.js';
import { viewOf, type Action, type View } from './view.js';

/** Gives the name to greet the user by; may ask the platform. `null`, or a rejection: no name is shown. */
export type DescribeUser = () => Promise<string | null> | string | null;

/** One element's life, without the element. */
export interface Panel {
  session: SignInSession | null;
  texts: Partial<Texts>;
  describeUser: DescribeUser | null;
  connect(): void;
  /** Frees listener and timer. A sign-in under way goes on. */
  disconnect(): void;
}

const inFull = (given: Partial<Texts>): Texts => ({
  ...ENGLISH,
  ...given,
  problems: { ...ENGLISH.problems, ...given.problems },
  hints: { ...ENGLISH.hints, ...given.hints },
});

/** What leaves the same user signed in. */
const SAME_USER = /^(saved|sessionKept|tokensIssued|refreshFailed)$/;

export function createPanel(element: HTMLElement): Panel {
  let session: SignInSession | null = null;
  let given: Partial<Texts> = {};
  let texts: Texts = ENGLISH;
  let describeUser: DescribeUser | null = null;
  let error: MortiseError | null = null;
  let user: string | null = null;
  /** Of the sign-in that was begun here. */
  let own: AbortController | null = null;
  let describing: object | null = null;
  let changes = 0;
  let view: View | null = null;
  let isConnected = false;
  /** The session's state when the element was taken out of the page. */
  let leftAt: SessionState | undefined;
  let unsubscribe = () => {};
  let ticking: ReturnType<typeof setInterval> | null = null;

  const act = (action: Action): void => {
    if (action === 'signIn') begin('join');
    else if (action === 'tryAgain') begin('restart');
    else if (action === 'cancel') own?.abort();
    else attempt((it) => it.signOut());
  };
  const paste = (text: string): void => attempt(async (it) => it.completeSignIn?.(text));

  const root = element.attachShadow({ mode: 'open' });
  addStyle(root);
  const skeleton = createSkeleton(root, { act, paste });

  /** Inside the click, for a popup opens nowhere else. */
  function begin(whilePending: 'join' | 'restart'): void {
    const mine = new AbortController();
    own = mine;
    const settled = () => {
      if (own === mine) own = null;
    };
    attempt((it) => it.signIn({ signal: mine.signal, whilePending }), settled);
    render();
  }

  /** What fails without a change of state would be told by nobody else. */
  function attempt(task: (it: SignInSession) => Promise<void>, settled = () => {}): void {
    const it = session;
    if (!it) return;
    error = null;
    const before = changes;
    const failed = (reason: unknown) => {
      const wasTold = changes !== before || session !== it;
      if (!wasTold) error = reason as MortiseError;
    };
    // Called now, and what it throws is a rejection as well.
    new Promise<void>((resolve) => resolve(task(it))).catch(failed).then(() => {
      settled();
      if (session === it) render();
    });
  }

  function hear({ from, to, event, error: reason }: StateChange): void {
    changes += 1;
    error = reason ?? null;
    if (to === 'signedOut') forgetUser();
    const isSameUser = SAME_USER.test(event) && from !== 'exchanging';
    if (to === 'signedIn' && !(isSameUser && (user !== null || describing))) describe();
    render();
  }

  function forgetUser(): void {
    user = null;
    describing = null;
  }

  function describe(): void {
    forgetUser();
    const ask = describeUser;
    if (!ask) return;
    const turn = {};
    describing = turn;
    const tell = (name: string | null) => {
      if (describing !== turn) return;
      describing = null;
      user = name ? String(name) : null;
      render();
    };
    Promise.resolve()
      .then(ask)
      .then(tell, () => tell(null));
  }

  function render(): void {
    if (!isConnected) return;
    const state = session?.state ?? null;
    // What is renewed in the background stays as it is shown.
    if (state?.name === 'refreshing' && view?.actions[0] === 'signOut') return;
    const canPaste = session?.completeSignIn !== undefined;
    view = viewOf({ state, texts, error, user, isOwn: own !== null, canPaste });
    skeleton.show(view, texts);
    tick();
    if (view.untilMs === null) stopTicking();
    else ticking ??= setInterval(tick, 1_000);
  }

  function tick(): void {
    const untilMs = view?.untilMs ?? null;
    const language = element.closest('[lang]')?.getAttribute('lang') ?? '';
    const left = () => timeLeft((untilMs ?? 0) - Date.now(), language);
    skeleton.tick(untilMs === null ? '' : fill(texts.timeLeft, { time: left() }));
  }

  function stopTicking(): void {
    if (ticking !== null) clearInterval(ticking);
    ticking = null;
  }

  function start(): void {
    isConnected = true;
    // Much may have happened to the session of an element that was put aside.
    if (session?.state !== leftAt) {
      forgetUser();
      error = null;
    }
    unsubscribe = session?.onChange(hear) ?? (() => {});
    const name = session?.state.name;
    if (name === 'idle') attempt(async (it) => it.restore?.());
    if (user === null && (name === 'signedIn' || name === 'degraded')) describe();
    render();
  }

  function stop(): void {
    isConnected = false;
    leftAt = session?.state;
    unsubscribe();
    unsubscribe = () => {};
    stopTicking();
  }

  return {
    get session() {
      return session;
    },
    set session(next) {
      const wasConnected = isConnected;
      stop();
      session = next ?? null;
      own = null;
      error = null;
      view = null;
      forgetUser();
      if (wasConnected) start();
    },
    get texts() {
      return given;
    },
    set texts(next) {
      given = next;
      texts = inFull(next);
      render();
    },
    get describeUser() {
      return describeUser;
    },
    set describeUser(next) {
      describeUser = next;
      if (isConnected && /^(signedIn|degraded)$/.test(session?.state.name ?? '')) describe();
    },
    connect: start,
    disconnect: stop,
  };
}
