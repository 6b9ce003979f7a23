import { API_FAULTS } from './api.js';
import { APS_FAULTS } from './aps.js';
import { DEVICE_FAULTS } from './device.js';
import { METADATA_FAULTS } from './metadata.js';
import { OPENCDE_FAULTS } from './opencde.js';
import { REDIRECT_FAULTS } from './redirect.js';
import { SPECKLE_FAULTS } from './speckle.js';
import { TOKEN_REFUSAL_FAULTS } from './token-refusal.js';
import { TOKEN_FAULTS } from './token.js';

/** Every misbehaviour that `createSandbox` can switch on, and what it does. */
export const FAULTS = {
  ...METADATA_FAULTS,
  ...REDIRECT_FAULTS,
  ...TOKEN_FAULTS,
  ...TOKEN_REFUSAL_FAULTS,
  ...DEVICE_FAULTS,
  ...API_FAULTS,
  ...SPECKLE_FAULTS,
  ...APS_FAULTS,
  ...OPENCDE_FAULTS,
} as const;

export type FaultName = keyof typeof FAULTS;
