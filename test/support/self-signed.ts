import { generateKeyPairSync, sign } from 'node:crypto';

/** DER, RFC 5280 appendix A: one tag, one length, the contents. All here is shorter than 64 KiB. */
function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  const { length } = body;
  // The shortest form there is: BoringSSL takes no other.
  const long = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  const size = length < 128 ? [length] : long;
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

const hex = (text: string) => Buffer.from(text, 'hex');
const SEQUENCE = 0x30;

/**
 * A key and a certificate that is right in all but who signed it: itself. Made anew each time, so that no
 * private key lies in the repository.
 */
export function createSelfSigned(): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsaWithSha256 = der(SEQUENCE, der(0x06, hex('2a8648ce3d040302')));
  const commonName = der(SEQUENCE, der(0x06, hex('550403')), der(0x0c, Buffer.from('Test only')));
  const name = der(SEQUENCE, der(0x31, commonName));
  const times = ['200101000000Z', '491231235959Z'].map((time) => der(0x17, Buffer.from(time)));
  const hosts = der(SEQUENCE, der(0x87, hex('7f000001')), der(0x82, Buffer.from('localhost')));
  const subjectAltName = der(SEQUENCE, der(0x06, hex('551d11')), der(0x04, hosts));
  const toBeSigned = der(
    SEQUENCE,
    der(0xa0, der(0x02, hex('02'))), // version 3
    der(0x02, hex('01')),
    ecdsaWithSha256,
    name,
    der(SEQUENCE, ...times),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, subjectAltName)),
  );
  const signature = der(0x03, hex('00'), sign('sha256', toBeSigned, privateKey));
  const base64 = der(SEQUENCE, toBeSigned, ecdsaWithSha256, signature).toString('base64');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}
