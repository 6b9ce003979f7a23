import type { Platform } from './platform.js';

export const aps: Platform<{ readonly baseUrl: string }> = {
  routes: () => [],
  environment: (origin) => ({ baseUrl: origin }),
};
