import type { Faulty } from './fault.js';

export const APS_FAULTS = {} as const satisfies Faulty;
