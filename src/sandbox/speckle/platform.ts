import { consentRoutes } from '../consent.js';
import type { Platform, Route } from '../platform.js';
import { speckleConsent } from './consent.js';
import { answerGraphql } from './graphql.js';
import { createSpeckleTokens, field } from './token.js';

/**
 * A Speckle server with both exchanges: the old one of the public source, and the S256 one of the hosted
 * service's guide. Served at every https host, since anybody may run one.
 */
export const speckle: Platform<{ readonly serverUrl: string }> = {
  policy: {
    refreshToken: 'reusable',
    refreshLifetimeS: 182 * 86_400,
    codeLifetimeS: 600,
    codeReplay: 'forgiven',
  },
  routes(grants, registration) {
    const tokens = createSpeckleTokens(grants);
    const api: readonly Route[] = [
      {
        method: 'GET',
        path: /^\/oauth\/token$/,
        place: 'metadata',
        answer: () => ({
          status: 200,
          headers: { 'content-type': 'text/plain; charset=utf-8' },
          text: 'supported',
        }),
      },
      {
        method: 'POST',
        path: /^\/oauth\/token$/,
        place: 'token',
        // Where the probe is not served, neither is this.
        places: () => ['exchange', 'metadata'],
        answer: tokens.answerNewExchange,
      },
      {
        method: 'POST',
        path: /^\/auth\/token$/,
        place: 'token',
        places: (call) => [field(call, 'refreshToken') ? 'refresh' : 'exchange'],
        answer: tokens.answerToken,
      },
      {
        method: 'POST',
        path: /^\/auth\/logout$/,
        place: 'revocation',
        answer: tokens.logOut,
      },
      {
        method: 'POST',
        path: /^\/graphql$/,
        place: 'api',
        answer: (call) =>
          answerGraphql(call, { claims: tokens.viewer(call), origin: call.url.origin }),
      },
    ];
    return [
      ...consentRoutes(speckleConsent(registration), grants),
      ...api.map((route) => ({
        ...route,
        answer: (call: Parameters<Route['answer']>[0]) =>
          tokens.refuseStale(call) ?? route.answer(call),
      })),
    ];
  },
  environment: (origin) => ({ serverUrl: origin }),
};
