/** @module The core: sessions, whatever the runtime and whatever the platform. */
export { createPluginHost } from './plugins/create-plugin-host.js';
export { listAccounts, removeAccount } from './session/accounts.js';
export { deviceUserAgent, type DeviceUserAgentOptions } from './oauth/device-user-agent.js';
export { createSession } from './session/create-session.js';
export { memoryStore } from './session/memory-store.js';
export { pasteUserAgent, type PasteUserAgentOptions } from './session/paste-user-agent.js';
export { TRANSITIONS } from './session/transitions.js';
export { MortiseError, isMortiseError } from './errors.js';

export type {
  AnyMortiseError,
  ConfigurationProblem,
  ErrorCode,
  ErrorDetails,
  MortiseErrorOptions,
  OAuthRefusal,
  SignedOutReason,
  StoreProblem,
} from './errors.js';
export type { ApiRequest, ApiResponse, Progress, QueryValue } from './api/request.js';
export type {
  ApiFailure,
  ApiSend,
  ApiTools,
  Dialect,
  Fields,
  Hints,
  OwnProtocol,
  PlatformApi,
  Provider,
  ReadDocument,
  ServerMetadata,
  WireRequest,
} from './oauth/provider.js';
export type { AuthorizationRequest } from './oauth/authorization-request.js';
export type { PluginHost, PluginHostOptions } from './plugins/create-plugin-host.js';
export type { Definitions, IntegrationDefinition } from './plugins/definitions.js';
export type { DefinitionOptions, ProviderFactory } from './plugins/provider-definitions.js';
export type { SharedSignInOptions } from './plugins/shared-sign-in.js';
export type { BegunSignIn } from './session/begun-sign-in.js';
export type { Graphql, GraphqlOptions, GraphqlProblem, GraphqlResult } from './api/graphql.js';
export type { Listing, PageOptions } from './api/pages.js';
export type { WalkOptions, WalkStep } from './api/walk.js';
export type { Pkce } from './oauth/pkce.js';
export type { Login, LoginStatus } from './plugins/login-status.js';
export type {
  Assignment,
  Integration,
  IntegrationHandle,
  Plugin,
  PluginContext,
} from './plugins/plugin.js';
export type { ActivePlugin } from './plugins/running-plugin.js';
export type * from './ports/index.js';
export type { AccessTokenOptions } from './session/access-token.js';
export type { ShareOptions, SharedAccess } from './session/access.js';
export type { AccountsOptions } from './session/accounts.js';
export type { Diagnostics, Session, SessionOptions } from './session/create-session.js';
export type { StateChange } from './session/machine.js';
export type { SignInOptions } from './session/sign-in.js';
export type { AuthorizingState, Notices, SessionState, StateName } from './session/state.js';
export type { EventName, Transitions } from './session/transitions.js';
