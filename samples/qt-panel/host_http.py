"""HTTP for a panel without a network of its own (PROTOCOL.md section 5). One thread a request; none for the program's own."""

import base64
import binascii
import http.client
import secrets
import socket
import ssl
import threading
import urllib.request
import zlib
from urllib.parse import urlsplit

from failure import Failure, InvalidParams
from navigation import is_web

_MAX_PIECE = 524_288
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
    """The connection, so that it can be cut while somebody waits for it."""

    def connect(host, **options):
        request.connection = connection(host, **options)
        return request.connection

    return connect


def _cut(request):
    sock = getattr(getattr(request, "connection", None), "sock", None)
    if sock:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It has ended.


def _opener(proxies):
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _Http, _Https, _NothingFollowed)


class HttpService:
    def __init__(self, later):
        self._later = later
        # The system's proxy, but never for this computer itself.
        self._direct, self._by_proxy = _opener({}), _opener(None)
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
            except (OSError, http.client.HTTPException, ValueError):
                # What went wrong in words may quote what was sent.
                self._later(lambda: call.fail(Failure("network_error", host=host)))
                return
            self._later(lambda: self._answer(call, response, host))

        threading.Thread(target=run, daemon=True).start()

    def _to_request(self, params):
        method, url, headers = params.get("method"), params.get("url"), params.get("headers", {})
        if not isinstance(method, str) or not method.isalpha() or len(method) > 20:
            raise InvalidParams("method")
        if not isinstance(url, str) or not is_web(url):
            raise InvalidParams("url")
        if not isinstance(headers, dict) or not all(_is_header(name, value) for name, value in headers.items()):
            raise InvalidParams("headers")
        data = None
        if "upload" in params:
            data = self._uploads.pop(params["upload"], None) if isinstance(params["upload"], str) else None
            if data is None:
                raise InvalidParams("upload")
            data = bytes(data)
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

    def _answer(self, call, response, host):
        if call.is_cancelled or len(self._bodies) >= _MAX_BODIES:
            response.close()
            if not call.is_cancelled:
                call.fail(Failure("network_error", host=host))
            return
        headers = {}
        for name, value in response.headers.items():
            name = name.lower()
            if name not in ("set-cookie", "content-encoding"):
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        body = _Body(response, host)
        more = None
        if not body.is_over:
            more = secrets.token_urlsafe(24)
            self._bodies[more] = body
        call.done({"status": response.status, "headers": headers, "body": "", "more": more})

    def _read(self, params, call):
        name = params.get("body")
        body = self._bodies.get(name) if isinstance(name, str) else None
        if body is None or body.is_busy:
            raise InvalidParams("body")
        body.is_busy = True

        def run():
            try:
                piece = body.read()
            except (OSError, http.client.HTTPException, ValueError, zlib.error, AttributeError):
                piece = None
            self._later(lambda: told(piece))

        def told(piece):
            body.is_busy = False
            if piece is None or body.is_over:
                self._bodies.pop(name, None)
                body.close()
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


class _Body:
    def __init__(self, response, host):
        self.host = host
        self.is_busy = False
        self._response = response
        encoding = (response.headers.get("content-encoding") or "").lower()
        self._inflate = zlib.decompressobj(47) if encoding in ("gzip", "deflate") else None
        self._raw = b""
        self._has_ended = response.isclosed() or response.length == 0
        self.is_over = self._has_ended

    def read(self):
        """At least one byte, or the end."""
        while not self.is_over:
            if not self._raw:
                self._raw = self._response.read1(65_536)
                self._has_ended = not self._raw or self._response.isclosed() or self._response.length == 0
            piece, self._raw = self._raw, b""
            if self._inflate:
                # What is small when packed may be huge.
                piece = self._inflate.decompress(piece, _MAX_PIECE)
                self._raw = self._inflate.unconsumed_tail
            self.is_over = self._has_ended and not self._raw
            if piece:
                return piece
        return b""

    def close(self):
        self._response.close()


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
