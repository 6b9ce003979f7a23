import { misconfigured } from '../errors.js';
import type { DeviceVisit, UserAgent, UserAgentVisit, VisitRequest } from '../ports/index.js';
import { authorize, weaknessOf, type Authorization } from './authorization.js';
import type { Context } from './context.js';
import { restore } from './restore.js';
import type { AuthorizingState } from './state.js';

type Visit = UserAgentVisit | DeviceVisit;

/** The visits of one sign-in, of which one is open at a time. */
export interface Visits {
  /** Calls the user agent at once, and closes the visit before when there is another. */
  open(userAgent: UserAgent): Promise<Visit>;
  /** Closes what is open, and what may yet open. */
  close(): Promise<void>;
}

export function createVisits(request: VisitRequest, abort: () => void): Visits {
  let open: Visit | null = null;
  let opening: Promise<void> = Promise.resolve();
  let isOpening = false;
  let count = 0;
  /** Whose window is the sign-in's: of the one that is being opened, else of the one that is open. */
  let latest = 0;
  const closeOpen = async () => {
    try {
      if (open && !('code' in open)) await open.close();
    } catch {
      // It never does by its contract; somebody else's mistake ends neither the sign-in nor the program.
    }
  };
  return {
    open(userAgent) {
      const before = latest;
      const turn = (count += 1);
      latest = turn;
      const onWindow: VisitRequest['onWindow'] = (fate) => {
        // The window of one that has given way, or never came to be, is nobody's concern.
        if (turn === latest) request.onWindow(fate);
      };
      const coming = userAgent.open({ ...request, onWindow });
      isOpening = true;
      const take = (visit: Visit) => {
        isOpening = false;
        void closeOpen();
        open = visit;
      };
      const pass = () => {
        isOpening = false;
        latest = before;
      };
      opening = coming.then(take, pass);
      return coming;
    },
    async close() {
      if (isOpening) abort();
      await Promise.all([closeOpen(), opening.then(closeOpen)]);
    },
  };
}

/** What a sign-in gives to those who show it to the user. */
export interface Showing {
  /** What the sign-in before still holds, and how it leaves the session. */
  readonly before: Promise<void> | null;
  /** Called inside the user's click. */
  open(userAgent: UserAgent): Promise<Visit>;
  isOver(): boolean;
  /** What the state tells. */
  show(
    event: 'addressReady' | 'windowLost',
    change: Partial<AuthorizingState>,
    error?: unknown,
  ): void;
  /** What an answer is compared with from now on; `undefined` where none comes. */
  expect(authorization: Authorization | undefined): void;
  /** Who answers after that answers too late. */
  expireWithin(ms: number): void;
  fail(error: unknown): void;
}

/**
 * Asks the host's user agents in turn until one can show the user where to sign in. The first is asked at once,
 * because a popup may open only inside the user's click.
 *
 * @throws {MortiseError} Why the first of them cannot, when none can.
 */
export async function visitUser(context: Context, showing: Showing): Promise<void> {
  let failure: unknown;
  let isStranded = false;
  const { before } = showing;
  for (const userAgent of context.host.userAgents) {
    if (before && !userAgent.needsClick) await before;
    if (showing.isOver()) return;
    let visit: Visit;
    try {
      visit = await showing.open(userAgent);
      if (before) await before;
    } catch (error) {
      failure ??= error;
      continue;
    }
    if ('code' in visit) return meet(visit, showing);
    const authorizationUrl = await prepare(context, visit, showing);
    if (authorizationUrl === null) return;
    try {
      return await visit.navigate(authorizationUrl);
    } catch (error) {
      // The address can still be opened by hand, so nothing is over, should nobody else be able to do better.
      isStranded = true;
      showing.show('windowLost', { window: 'lost' }, error);
    }
  }
  if (!isStranded) throw failure ?? misconfigured('this host cannot show a sign-in page');
}

/** Makes the address to send the user to; `null` when the sign-in has ended meanwhile. */
async function prepare(
  context: Context,
  { redirectUri, answerBy }: UserAgentVisit,
  showing: Showing,
): Promise<string | null> {
  // Read before the user is bothered: a store that cannot be used is better known now.
  const [made] = await Promise.all([
    authorize(context, redirectUri),
    restore(context),
    context.store.ready(),
  ]);
  if (showing.isOver()) return null;
  const { authorizationUrl, server } = made;
  showing.expect(made);
  const how = { ...(answerBy && { answerBy }), ...weaknessOf(server) };
  showing.show('addressReady', { authorizationUrl, window: 'open', ...how });
  return authorizationUrl;
}

/** The user answers on any device, so all there is to do is to show what to do there. */
function meet(visit: DeviceVisit, showing: Showing): void {
  if (showing.isOver()) return;
  const { expiresInMs, ...device } = visit.code;
  const authorizationUrl = device.verificationUriComplete ?? device.verificationUri;
  // What is pasted now is no answer to the page that gave way to the code.
  showing.expect(undefined);
  showing.expireWithin(expiresInMs);
  showing.show('addressReady', { authorizationUrl, window: 'open', device: Object.freeze(device) });
  visit.answer().catch(showing.fail);
}
