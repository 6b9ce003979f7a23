// A file of its own, so that a bundler leaves the other hashes of the package out of what is loaded when it is needed.
export { sha256 } from '@noble/hashes/sha2.js';
