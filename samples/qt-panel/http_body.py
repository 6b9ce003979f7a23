"""The answer to an HTTP request, as much of it at a time as a message holds (PROTOCOL.md section 5)."""

import http.client
import json
import threading
import time
import zlib

MAX_PIECE = 524_288
# How long an answer waits for its body: a short one then needs no second message, a slow one is not held up.
_GATHER_S = 0.1
# All of a message but its result, and the name of a body in it.
_ENVELOPE = 1024


class Body:
    """The body of one answer, decoded. A thread reads ahead of whoever asks, one piece and no more."""

    def __init__(self, response, host, line):
        self.host = host
        self.is_busy = False
        self._response = response
        self._line = line
        encoding = (response.headers.get("content-encoding") or "").lower()
        self._inflate = zlib.decompressobj(47) if encoding in ("gzip", "deflate") else None
        self._is_packed = False
        self._raw = b""
        self._has_ended = response.isclosed() or response.length == 0
        self._left = b""
        self._coming = None

    @property
    def is_over(self):
        return self._is_dry and not self._left

    @property
    def _is_dry(self):
        """Nothing comes any more."""
        return self._has_ended and not self._raw and self._coming is None

    def gather(self, most, is_cancelled):
        """What comes before long, at most so many bytes."""
        end = time.monotonic() + _GATHER_S
        while len(self._left) <= most and not self._is_dry and not is_cancelled():
            try:
                if not self._pull(max(0, end - time.monotonic())):
                    break
            except Exception:
                # Who has got something is told by the next read why there is no more.
                if not self._left:
                    raise
                break
        return self._take(most)

    def read(self, most):
        """At least one byte, or the end."""
        while not self._left and not self._is_dry:
            self._pull(None)
        return self._take(most)

    def _take(self, most):
        piece, self._left = self._left[:most], self._left[most:]
        return piece

    def _pull(self, seconds):
        """Waits for what comes next. False: it has not come yet, and whoever asks next gets it."""
        if self._coming is None:
            self._coming = _Ahead(self._next)
        if not self._coming.is_there(seconds):
            return False
        self._left += self._coming.result()
        self._coming = None
        return True

    def _next(self):
        if not self._raw:
            self._raw = self._response.read1(65_536)
            self._has_ended = not self._raw or self._response.isclosed() or self._response.length == 0
            # The rest of the announced length will not come: `read1` does not say so.
            if not self._raw and self._response.length:
                raise http.client.IncompleteRead(b"", self._response.length)
        if not self._inflate:
            piece, self._raw = self._raw, b""
            return piece
        self._is_packed = self._is_packed or bool(self._raw)
        # What is small when packed may be huge.
        piece = self._inflate.decompress(self._raw, MAX_PIECE)
        self._raw = self._inflate.unconsumed_tail
        # Its end is marked, and whatever follows is nobody's.
        if self._inflate.eof:
            self._has_ended, self._raw = True, b""
        # An answer without a body has none, whatever its headers say.
        if self._has_ended and not self._raw and self._is_packed and not self._inflate.eof:
            raise EOFError()
        return piece

    def close(self):
        # Whoever reads is in the way of closing, and stops when there is nothing to come any more.
        self._line.cut()
        try:
            self._response.close()
        except Exception:
            pass  # Nobody waits for it.


class _Ahead:
    """Something that is waited for on a thread of its own, so that who waits may leave."""

    def __init__(self, task):
        self._is_over = threading.Event()
        self._result = self._error = None
        threading.Thread(target=self._run, args=(task,), daemon=True).start()

    def _run(self, task):
        try:
            self._result = task()
        except Exception as error:  # For whoever asks.
            self._error = error
        self._is_over.set()

    def is_there(self, seconds):
        return self._is_over.wait(seconds)

    def result(self):
        if self._error:
            raise self._error
        return self._result


def headers_of(response):
    headers = {}
    for name, value in response.headers.items():
        name = name.lower()
        if name not in ("set-cookie", "content-encoding"):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def room_for(limit, headers):
    """How many bytes of a body fit into one message: base64 makes four of three. Below 0 where not even the headers do."""
    taken = len(json.dumps(headers, ensure_ascii=False).encode())
    return min(limit // 2, (limit - _ENVELOPE - taken) * 3 // 4)
