import { isLoopback } from '../platform.js';

export const APS_HOSTS = ['developer.api.autodesk.com'];

/** The address the metadata names first; then the newer and the older one, which answer alike. */
export const APS_USERINFO_HOSTS = [
  'api.userprofile.autodesk.com',
  'api.aps.autodesk.com',
  ...APS_HOSTS,
];

/** Loopback has everything at one origin. */
export const userinfoOrigin = (url: URL) =>
  isLoopback(url) ? url.origin : `https://${APS_USERINFO_HOSTS[0]}`;
