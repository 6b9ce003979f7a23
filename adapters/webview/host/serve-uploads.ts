import { fromBase64 } from '../protocol/base64.js';
import { createByteList, type ByteList } from './byte-list.js';
import { own, textOf, type Fields } from '../protocol/fields.js';
import { MAX_MESSAGE_BYTES } from '../protocol/message-limit.js';
import { randomName } from '../protocol/nonce.js';
import { invalidParams } from './serve-requests.js';

/** What the uploads of one page hold in memory, in bytes: what is put together, and what a request is being made of. */
const MAX_HELD_BYTES = 64 << 20;
/** What one page may leave here at once. */
const MAX_UPLOADS = 64;

/** What a panel sends ahead of a request, put together. */
export interface Uploads {
  /** `body.write`. @throws What `invalidParams` makes. */
  write(params: Fields): { readonly body: string };
  /**
   * Makes a request with its body: in the message, put together from pieces, or none. The upload it names is used up,
   * whatever becomes of the request.
   *
   * @throws What `invalidParams` makes, and what `use` does.
   */
  lend<T>(params: Fields, use: (body: Uint8Array | undefined) => Promise<T>): Promise<T>;
  free(name: string): void;
  close(): void;
}

export function createUploads(): Uploads {
  const uploads = new Map<string, ByteList>();
  let held = 0;
  const free = (name: string) => {
    held -= uploads.get(name)?.length ?? 0;
    uploads.delete(name);
  };
  return {
    write(params) {
      const bytes = fromBase64(textOf(params, 'data', MAX_MESSAGE_BYTES) ?? '?');
      const isNew = own(params, 'body') === null;
      const name = isNew ? randomName() : (textOf(params, 'body', 200) ?? '');
      const upload = isNew ? createByteList() : uploads.get(name);
      if (!bytes) throw invalidParams('data');
      if (!upload || (isNew && uploads.size >= MAX_UPLOADS)) throw invalidParams('body');
      if (held + bytes.length > MAX_HELD_BYTES) {
        free(name);
        throw invalidParams('data: the uploads of this page are too long');
      }
      held += bytes.length;
      upload.add(bytes);
      uploads.set(name, upload);
      return { body: name };
    },
    async lend(params, use) {
      const name = textOf(params, 'upload', 200) ?? '';
      const upload = uploads.get(name);
      uploads.delete(name);
      try {
        if (own(params, 'body') !== undefined) {
          const bytes = fromBase64(textOf(params, 'body', MAX_MESSAGE_BYTES) ?? '?');
          if (!bytes) throw invalidParams('body');
          return await use(bytes);
        }
        if (own(params, 'upload') === undefined) return await use(undefined);
        if (!upload) throw invalidParams('upload');
        return await use(upload.whole());
      } finally {
        held -= upload?.length ?? 0;
      }
    },
    free,
    close() {
      for (const name of [...uploads.keys()]) free(name);
    },
  };
}
