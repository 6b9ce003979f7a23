"""HTTP for a panel without a network of its own (PROTOCOL.md section 5). One thread a request; none for the program's own."""

import base64
import binascii
import http.client
import json
import secrets
import socket
import ssl
import threading
import time
import urllib.request
import zlib
from urllib.parse import urlsplit

from failure import Failure, InvalidParams
from navigation import is_web

_MAX_PIECE = 524_288
# How long an answer waits for its body: a short one then needs no second message, a slow one is not held up.
_GATHER_S = 0.1
# All of a message but its result, and the name of a body in it.
_ENVELOPE = 1024
_MAX_UPLOAD = 67_108_864
_MAX_BODIES = 64
_TIMEOUT_S = 60


class _NothingFollowed(urllib.request.HTTPErrorProcessor):
    """A redirect is an answer, and so is an error."""

    def http_response(self, request, response):
        return response

    https_response = http_response


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request):
        return self.do_open(_noted(http.client.HTTPConnection, request), request)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, request):
        # Certificates and names are checked, against what this system trusts.
        context = ssl.create_default_context()
        return self.do_open(_noted(http.client.HTTPSConnection, request), request, context=context)


def _noted(connection, request):
    """The socket, so that it can be cut while somebody waits for it."""

    class Noted(connection):
        def connect(self):
            super().connect()
            request.sock = self.sock

    return Noted


def _cut(request):
    sock = getattr(request, "sock", None)
    if sock:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It has ended.


def _opener(proxies):
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _Http, _Https, _NothingFollowed)


class HttpService:
    def __init__(self, later, limit):
        self._later = later
        # How long a message may be at the time, in bytes.
        self._limit = limit
        # The system's proxy, but never for this computer itself.
        self._direct, self._by_proxy = _opener({}), _opener(None)
        # Those that nobody has read from for longest come first.
        self._bodies = {}
        self._uploads = {}
        self.methods = {
            "http.request": self._request,
            "body.read": self._read,
            "body.close": self._close,
            "body.write": self._write,
        }

    def close(self):
        for body in self._bodies.values():
            body.close()
        self._bodies.clear()
        self._uploads.clear()

    def _request(self, params, call):
        request = self._to_request(params)
        host = urlsplit(request.full_url).netloc
        is_near = urlsplit(request.full_url).scheme == "http"
        call.on_cancel = lambda: _cut(request)

        def run():
            try:
                opener = self._direct if is_near else self._by_proxy
                response = opener.open(request, timeout=_TIMEOUT_S)
            except _FAILURES:
                # What went wrong in words may quote what was sent.
                self._later(lambda: call.fail(Failure("network_error", host=host)))
                return
            body = _Body(response, host, cut=lambda: _cut(request))
            headers = _headers_of(response)
            room = _room(self._limit(), headers)
            if room < 0:
                body.close()
                problem = "the headers of an answer do not pass the bridge"
                self._later(lambda: call.fail(Failure("configuration_error", problem=problem)))
                return
            try:
                first = body.gather(room, lambda: call.is_cancelled)
            except _FAILURES:
                body.close()
                self._later(lambda: call.fail(Failure("network_error", host=host)))
                return
            self._later(lambda: self._answer(call, {"status": response.status, "headers": headers}, first, body))

        threading.Thread(target=run, daemon=True).start()

    def _to_request(self, params):
        # Used up, whatever becomes of the request.
        upload = self._uploads.pop(params.get("upload"), None) if isinstance(params.get("upload"), str) else None
        method, url, headers = params.get("method"), params.get("url"), params.get("headers", {})
        if not isinstance(method, str) or not method.isalpha() or len(method) > 20:
            raise InvalidParams("method")
        if not isinstance(url, str) or not is_web(url):
            raise InvalidParams("url")
        if not isinstance(headers, dict) or not all(_is_header(name, value) for name, value in headers.items()):
            raise InvalidParams("headers")
        data = None
        if "upload" in params:
            if upload is None:
                raise InvalidParams("upload")
            data = bytes(upload)
        elif "body" in params:
            data = _decode(params["body"])
        request = urllib.request.Request(url.split("#")[0], data=data, method=method.upper())
        for name, value in headers.items():
            if name.lower() not in ("host", "content-length", "connection", "accept-encoding", "transfer-encoding"):
                request.add_unredirected_header(name, value)
        # Else it names a type of its own.
        if data is not None and not request.has_header("Content-type"):
            request.add_unredirected_header("Content-type", "application/octet-stream")
        return request

    def _answer(self, call, head, first, body):
        if call.is_cancelled:
            body.close()
            return
        more = None
        if not body.is_over:
            self._make_room()
            more = secrets.token_urlsafe(24)
            self._bodies[more] = body
        call.done({**head, "body": base64.b64encode(first).decode(), "more": more})

    def _make_room(self):
        """Nobody has to read an answer, so there is always room for another."""
        for name, body in list(self._bodies.items()):
            if len(self._bodies) < _MAX_BODIES:
                return
            if not body.is_busy:
                self._bodies.pop(name).close()

    def _read(self, params, call):
        name = params.get("body")
        body = self._bodies.get(name) if isinstance(name, str) else None
        if body is None or body.is_busy:
            raise InvalidParams("body")
        body.is_busy = True
        most = _room(self._limit(), {})

        def leave():
            if self._bodies.pop(name, None):
                body.close()

        call.on_cancel = leave

        def run():
            try:
                piece = body.read(most)
            except _FAILURES:
                piece = None
            self._later(lambda: told(piece))

        def told(piece):
            body.is_busy = False
            is_known = self._bodies.pop(name, None)
            if piece is None or body.is_over:
                body.close()
            elif is_known:
                self._bodies[name] = body
            if piece is None:
                call.fail(Failure("network_error", host=body.host))
            else:
                more = None if body.is_over else name
                call.done({"body": base64.b64encode(piece).decode(), "more": more})

        threading.Thread(target=run, daemon=True).start()

    def _close(self, params, call):
        name = params.get("body")
        body = self._bodies.pop(name, None) if isinstance(name, str) else None
        if body:
            body.close()
        if isinstance(name, str):
            self._uploads.pop(name, None)
        call.done({})

    def _write(self, params, call):
        name, data = params.get("body"), _decode(params.get("data"))
        if name is None:
            if len(self._uploads) >= _MAX_BODIES:
                raise InvalidParams("body")
            name = secrets.token_urlsafe(24)
            self._uploads[name] = bytearray()
        if not isinstance(name, str) or name not in self._uploads:
            raise InvalidParams("body")
        if sum(map(len, self._uploads.values())) + len(data) > _MAX_UPLOAD:
            del self._uploads[name]
            raise InvalidParams("data")
        self._uploads[name] += data
        call.done({"body": name})


# What reading can fail with; the last when the connection is closed meanwhile.
_FAILURES = (OSError, EOFError, http.client.HTTPException, ValueError, zlib.error, AttributeError)


class _Body:
    """The body of one answer, decoded. A thread reads ahead of whoever asks, one piece and no more."""

    def __init__(self, response, host, cut):
        self.host = host
        self.is_busy = False
        self._response = response
        self._cut = cut
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
            except _FAILURES:
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
        piece = self._inflate.decompress(self._raw, _MAX_PIECE)
        self._raw = self._inflate.unconsumed_tail
        # Its end is marked. An answer without a body has none, whatever its headers say.
        if self._has_ended and not self._raw and self._is_packed and not self._inflate.eof:
            raise EOFError()
        return piece

    def close(self):
        # Whoever reads is in the way of closing, and stops when there is nothing to come any more.
        self._cut()
        self._response.close()


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


def _headers_of(response):
    headers = {}
    for name, value in response.headers.items():
        name = name.lower()
        if name not in ("set-cookie", "content-encoding"):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _room(limit, headers):
    """How many bytes of a body fit into one message: base64 makes four of three. Below 0 where not even the headers do."""
    taken = len(json.dumps(headers, ensure_ascii=False).encode())
    return min(limit // 2, (limit - _ENVELOPE - taken) * 3 // 4)


def _is_header(name, value):
    is_text = isinstance(name, str) and isinstance(value, str) and len(value) <= 65_536
    return is_text and name.replace("-", "").replace("_", "").isalnum() and not any(char in value for char in "\r\n\0")


def _decode(text):
    if not isinstance(text, str) or len(text) > -(-_MAX_PIECE // 3) * 4:
        raise InvalidParams("body")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParams("body") from None
