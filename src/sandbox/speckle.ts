import type { Platform } from './platform.js';

export const speckle: Platform<{ readonly serverUrl: string }> = {
  routes: () => [],
  environment: (origin) => ({ serverUrl: origin }),
};
