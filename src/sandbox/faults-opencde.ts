import type { Faulty } from './fault.js';

export const OPENCDE_FAULTS = {} as const satisfies Faulty;
