import { MortiseError } from '../errors.js';
import { readJsonText, type Answer } from '../http/exchange.js';
import type { ApiRequest, ApiResponse } from './request.js';
import { quietly } from '../http/quietly.js';
import { countBytes, readLength } from './wire.js';

/** What `json`, `text` and `bytes` hold in memory at most; `stream` has no limit. */
const MAX_BYTES = 32 << 20;

export function toApiResponse(answer: Answer, request: ApiRequest): ApiResponse {
  const { body, json } = request;
  const onProgress = request.onProgress && quietly(request.onProgress);
  const { status, headers } = answer;
  // After decoding, the length of a compressed body says nothing.
  const totalBytes = headers.get('content-encoding')
    ? null
    : readLength(headers.get('content-length'));
  const isDownload = onProgress && body === undefined && json === undefined;
  const received = isDownload
    ? answer.through((bytes) => countBytes(bytes, 'download', totalBytes, onProgress))
    : answer;
  let isRead = false;
  const read = () => {
    if (isRead) throw new MortiseError('configuration_error', { problem: 'a body is read once' });
    isRead = true;
    return received;
  };
  const bytes = async () => read().bytes(MAX_BYTES);
  return {
    status,
    headers,
    bytes,
    text: async () => new TextDecoder().decode(await bytes()),
    async json<T>() {
      const value = readJsonText(await bytes());
      if (value === undefined) {
        throw new MortiseError('malformed_response', { problem: 'it is not JSON', status });
      }
      return value as T;
    },
    stream: () => read().stream(),
  };
}
