/** Randomness and one hash. */
export interface CryptoProvider {
  /**
   * @throws A `configuration_error` when the host has no cryptographic source. A weaker source is
   * never an answer: PKCE and `state` stand on this.
   */
  randomBytes(length: number): Uint8Array;
  /** SHA-256, FIPS 180-4. */
  sha256(data: Uint8Array): Promise<Uint8Array>;
}
