import type { Platform } from './platform.js';

export const opencde: Platform<{ readonly serverUrl: string }> = {
  routes: () => [],
  environment: (origin) => ({ serverUrl: origin }),
};
