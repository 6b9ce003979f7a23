import type { Faulty } from './fault.js';

export const SPECKLE_FAULTS = {} as const satisfies Faulty;
