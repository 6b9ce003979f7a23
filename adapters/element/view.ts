import type { MortiseError } from '../../src/errors.js';
import type { AuthorizingState, Notices, SessionState } from '../../src/session/state.js';
import { fill, type Texts } from './texts.js';

export type Action = 'signIn' | 'tryAgain' | 'signOut' | 'cancel';

export interface Note {
  readonly tone: 'problem' | 'notice';
  readonly text: string;
}

/** What is to be seen, as data. */
export interface View {
  readonly status: string;
  readonly isBusy: boolean;
  readonly notes: readonly Note[];
  /** The first is what most will want. */
  readonly actions: readonly Action[];
  readonly untilMs: number | null;
  /** An address to open by hand. `text` left out: in the words of the table. */
  readonly link: { readonly href: string; readonly text?: string } | null;
  readonly deviceCode: string | null;
  readonly canPaste: boolean;
}

export interface Seen {
  /** `null` before the page has set one. */
  readonly state: SessionState | null;
  readonly texts: Texts;
  /** Of what happened last. */
  readonly error: MortiseError | null;
  /** Who is signed in, where that is known. */
  readonly user: string | null;
  /** Whether the sign-in was begun here, and can be ended here. */
  readonly isOwn: boolean;
  readonly canPaste: boolean;
}

const NOTHING: View = {
  status: '',
  isBusy: false,
  notes: [],
  actions: [],
  untilMs: null,
  link: null,
  deviceCode: null,
  canPaste: false,
};

const busy = (status: string): View => ({ ...NOTHING, status, isBusy: true });

export function viewOf(seen: Seen): View {
  const { state, texts } = seen;
  switch (state?.name) {
    case undefined:
      return NOTHING;
    case 'restoring':
      return busy(texts.restoring);
    case 'idle':
      return signedOut(seen, texts.signedOut);
    case 'signedOut':
      return signedOut(seen, whySignedOut(state.reason, texts));
    case 'authorizing':
      return authorizing(seen, state);
    case 'exchanging':
      return busy(texts.exchanging);
    case 'signedIn':
      return signedIn(seen, who(seen), state);
    // What is done in the background is no news to the user.
    case 'refreshing':
      return signedIn(seen, who(seen), {});
    case 'degraded':
      return signedIn(seen, texts.degraded, state);
    case 'signingOut':
      return busy(texts.signingOut);
  }
}

const whySignedOut = (reason: string, texts: Texts): string =>
  reason === 'rejected' || reason === 'damaged' ? texts[reason] : texts.signedOut;

const who = ({ user, texts }: Seen): string =>
  user === null ? texts.signedIn : fill(texts.signedInAs, { user });

function signedOut(seen: Seen, status: string): View {
  return { ...NOTHING, status, notes: problems(seen), actions: ['signIn'] };
}

function signedIn(seen: Seen, status: string, { unsaved, userChanged }: Notices): View {
  const { texts, state } = seen;
  const notices = [unsaved && texts.unsaved, userChanged && texts.userChanged];
  const notes = [
    // While one is signed in, what went wrong with another sign-in or with the server.
    ...(state?.name === 'refreshing' ? [] : problems(seen)),
    ...notices.flatMap((text): Note[] => (text ? [{ tone: 'notice', text }] : [])),
  ];
  return { ...NOTHING, status, notes, actions: ['signOut'] };
}

function authorizing(seen: Seen, state: AuthorizingState): View {
  const { texts, isOwn } = seen;
  const { authorizationUrl, expiresAtMs, device, answerBy, weakness } = state;
  const cancel: Action[] = isOwn ? ['cancel'] : [];
  if (authorizationUrl === null) return { ...busy(texts.preparing), actions: cancel };
  const weak: Note[] = weakness ? [{ tone: 'notice', text: texts.pkceNotChecked }] : [];
  const shown = { ...NOTHING, untilMs: expiresAtMs, notes: weak, actions: cancel };
  const href = safeHref(authorizationUrl);
  if (device) {
    const text = device.verificationUri;
    const link = href === null ? null : { href, text };
    return { ...shown, status: texts.device, deviceCode: device.userCode, link };
  }
  const link = href === null ? null : { href };
  if (answerBy === 'paste') {
    const { canPaste } = seen;
    return { ...shown, notes: [...weak, ...problems(seen)], status: texts.paste, link, canPaste };
  }
  if (state.window === 'open') return { ...shown, status: texts.waiting, isBusy: true };
  const notes = [...weak, ...problems(seen)];
  const status = seen.error ? texts.openYourself : texts.lost;
  return { ...shown, status, notes, link, actions: ['tryAgain', ...cancel] };
}

/** A session may come from another process: only what leads to a page becomes a link. */
function safeHref(text: string): string | null {
  return /^https?:\/\//i.test(text) ? text : null;
}

function problems({ error, texts }: Seen): readonly Note[] {
  if (!error) return [];
  const { code, hint } = error;
  const problem = texts.problems[code] ?? `${texts.failed} (${code})`;
  const tone = code === 'sign_in_cancelled' ? 'notice' : 'problem';
  // To cancel is no failure, and nobody needs to be told what to do about it.
  const remedy = tone === 'notice' ? '' : ` ${texts.hints[code] ?? hint}`;
  return [{ tone, text: problem + remedy }];
}
