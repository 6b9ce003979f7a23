import { API_FAULTS } from './faults-api.js';
import { APS_FAULTS } from './faults-aps.js';
import { METADATA_FAULTS } from './faults-metadata.js';
import { OPENCDE_FAULTS } from './faults-opencde.js';
import { REDIRECT_FAULTS } from './faults-redirect.js';
import { SPECKLE_FAULTS } from './faults-speckle.js';
import { TOKEN_REFUSAL_FAULTS } from './faults-token-refusal.js';
import { TOKEN_FAULTS } from './faults-token.js';

/** Every misbehaviour that `createSandbox` can switch on, and what it does. */
export const FAULTS = {
  ...METADATA_FAULTS,
  ...REDIRECT_FAULTS,
  ...TOKEN_FAULTS,
  ...TOKEN_REFUSAL_FAULTS,
  ...API_FAULTS,
  ...SPECKLE_FAULTS,
  ...APS_FAULTS,
  ...OPENCDE_FAULTS,
} as const;

export type FaultName = keyof typeof FAULTS;
