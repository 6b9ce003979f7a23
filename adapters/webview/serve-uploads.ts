import { fromBase64 } from './base64.js';
import { own, textOf, type Fields } from './fields.js';
import { joinBytes } from './join-bytes.js';
import { MAX_MESSAGE_BYTES } from './message-limit.js';
import { randomName } from './nonce.js';
import { invalidParams } from './serve-panel.js';

/** The longest upload that is put together, in bytes. */
const MAX_UPLOAD_BYTES = 64 << 20;
/** What one page may leave here at once. */
const MAX_UPLOADS = 64;

/** What a panel sends ahead of a request, put together. */
export interface Uploads {
  /** `body.write`. @throws What `invalidParams` makes. */
  write(params: Fields): { readonly body: string };
  /**
   * The body of a request: in the message, put together from pieces, or none. The upload it names is used up,
   * whatever becomes of the request.
   *
   * @throws What `invalidParams` makes.
   */
  take(params: Fields): Uint8Array | undefined;
  free(name: string): void;
  close(): void;
}

export function createUploads(): Uploads {
  const uploads = new Map<string, { readonly pieces: Uint8Array[]; length: number }>();
  return {
    write(params) {
      const bytes = fromBase64(textOf(params, 'data', MAX_MESSAGE_BYTES) ?? '?');
      const isNew = own(params, 'body') === null;
      const name = isNew ? randomName() : (textOf(params, 'body', 200) ?? '');
      const upload = isNew ? { pieces: [], length: 0 } : uploads.get(name);
      if (!bytes) throw invalidParams('data');
      if (!upload || (isNew && uploads.size >= MAX_UPLOADS)) throw invalidParams('body');
      upload.length += bytes.length;
      if (upload.length > MAX_UPLOAD_BYTES) {
        uploads.delete(name);
        throw invalidParams('data: the upload is too long');
      }
      upload.pieces.push(bytes);
      uploads.set(name, upload);
      return { body: name };
    },
    take(params) {
      const name = textOf(params, 'upload', 200) ?? '';
      const upload = uploads.get(name);
      uploads.delete(name);
      if (own(params, 'body') !== undefined) {
        const bytes = fromBase64(textOf(params, 'body', MAX_MESSAGE_BYTES) ?? '?');
        if (!bytes) throw invalidParams('body');
        return bytes;
      }
      if (own(params, 'upload') === undefined) return undefined;
      if (!upload) throw invalidParams('upload');
      return joinBytes(upload.pieces);
    },
    free: (name) => void uploads.delete(name),
    close: () => uploads.clear(),
  };
}
