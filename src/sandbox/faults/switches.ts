import { MortiseError } from '../../errors.js';
import type { Fault } from './fault.js';
import { FAULTS, type FaultName } from './index.js';
import type { GrantPolicy } from '../grants.js';
import type { Answer, Call } from '../message.js';

/** Where a fault can bite: a route, or one grant type of the token endpoint. */
// prettier-ignore
const PLACES = [
  'metadata', 'jwks', 'consent', 'redirect', 'device', 'verification', 'token', 'exchange', 'refresh', 'service',
  'poll', 'revocation', 'userinfo', 'apiInfo', 'api', 'browse',
] as const;
export type Place = (typeof PLACES)[number];

/**
 * A fault by its name; behind `@`, the only place where it bites. `token-502-html` makes every token
 * request fail, `token-502-html@refresh` leaves the sign-in alone.
 */
export type FaultSwitch = FaultName | `${FaultName}@${Place}`;

/** The switches of one sandbox. */
export interface Faults {
  readonly policy: GrantPolicy;
  apply(places: readonly Place[], call: Call, answer: () => Answer): Promise<Answer>;
}

interface Switched {
  readonly fault: Fault;
  readonly at: string;
  /** How often it may yet bite. */
  readonly left: number;
}

const TIMES = { once: 1, thrice: 3 } as const;

function readSwitch(text: FaultSwitch): Switched {
  const [name = '', at] = text.split('@');
  const fault = Object.entries<Fault>(FAULTS).find(([each]) => each === name)?.[1];
  if (!fault)
    throw new MortiseError('configuration_error', { problem: `no such sandbox fault: ${name}` });
  if (at !== undefined && !PLACES.some((place) => place === at)) {
    throw new MortiseError('configuration_error', { problem: `no such place: ${at}` });
  }
  return { fault, at: at ?? fault.at, left: fault.times ? TIMES[fault.times] : Infinity };
}

export function createFaults(switches: readonly FaultSwitch[]): Faults {
  let active = switches.map(readSwitch);
  const use = (switched: Switched) => {
    const left = switched.left - 1;
    active = active.flatMap((other) => {
      if (other !== switched) return [other];
      return left > 0 ? [{ ...other, left }] : [];
    });
  };
  return {
    policy: Object.assign({}, ...active.map(({ fault }) => fault.policy)) as GrantPolicy,

    async apply(places, call, answer) {
      const here = active.filter(({ at }) => places.some((place) => place === at));
      const first = here.find(({ fault }) => fault.instead);
      if (first?.fault.instead) {
        use(first);
        return first.fault.instead(call);
      }
      let bent = answer();
      for (const switched of here) {
        const { bend, bends } = switched.fault;
        // A refusal is right as it is: most faults spoil what went well.
        if (!bend || bent.status >= 400 !== (bends === 'refusals')) continue;
        use(switched);
        bent = bend(bent, call);
      }
      return bent;
    },
  };
}
