"""HTTP for a panel without a network of its own (PROTOCOL.md section 5). One thread a request; none for the program's own."""

import base64
import binascii
import secrets
import urllib.request
from urllib.parse import urlsplit

from failure import Failure, InvalidParams
from host_threads import Threads
from http_body import MAX_PIECE, Body, headers_of, room_for
from http_line import Line, opener
from navigation import is_web

# Those of 64 requests under way, and of as many that were withdrawn and have not ended yet.
_MAX_THREADS = 128
_MAX_UPLOAD = 67_108_864
_MAX_BODIES = 64
_TIMEOUT_S = 60


class HttpService:
    def __init__(self, later, limit):
        self._later = later
        # How long a message may be at the time, in bytes.
        self._limit = limit
        # The system's proxy, but never for this computer itself.
        self._direct, self._by_proxy = opener({}), opener(None)
        self._threads = Threads(_MAX_THREADS)
        # Those that nobody has read from for longest come first.
        self._bodies = {}
        self._uploads = {}
        # Bytes of uploads that requests under way have taken.
        self._lent = 0
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
        lent = len(request.data) if "upload" in params else 0
        line = request.line = Line()
        call.on_cancel = line.cut

        def give_back():
            self._lent -= lent

        def run():
            try:
                self._fetch(request, line, call)
            finally:
                if lent:
                    self._later(give_back)

        self._lent += lent
        try:
            self._threads.start(run)
        except Failure:
            give_back()
            raise

    def _fetch(self, request, line, call):
        """On a thread of its own."""
        split = urlsplit(request.full_url)
        body = None
        try:
            way = self._direct if split.scheme == "http" else self._by_proxy
            response = way.open(request, timeout=_TIMEOUT_S)
            body = Body(response, split.netloc, line)
            headers = headers_of(response)
            room = room_for(self._limit(), headers)
            if room < 0:
                raise Failure("configuration_error", problem="the headers of an answer do not pass the bridge")
            first = body.gather(room, lambda: call.is_cancelled)
        except Exception as error:  # Whatever it is, somebody waits.
            (body.close if body else line.cut)()
            # What went wrong in words may quote what was sent.
            failure = error if isinstance(error, Failure) else Failure("network_error", host=split.netloc)
            self._later(lambda: call.fail(failure))
            return
        head = {"status": response.status, "headers": headers}
        self._later(lambda: self._answer(call, head, first, body))

    def _to_request(self, params):
        # Used up, whatever becomes of the request.
        upload = self._uploads.pop(params.get("upload"), None) if isinstance(params.get("upload"), str) else None
        method, url, headers = params.get("method"), params.get("url"), params.get("headers", {})
        if not isinstance(method, str) or not (method.isascii() and method.isalpha()) or len(method) > 20:
            raise InvalidParams("method")
        if not isinstance(url, str) or not is_web(url):
            raise InvalidParams("url")
        if not isinstance(headers, dict) or not all(_is_header(name, value) for name, value in headers.items()):
            raise InvalidParams("headers")
        data = None
        if "upload" in params:
            if upload is None:
                raise InvalidParams("upload")
            data = upload
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
        if body.is_over:
            body.close()
        else:
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
        most = room_for(self._limit(), {})

        def leave():
            if self._bodies.pop(name, None):
                body.close()

        call.on_cancel = leave

        def run():
            try:
                piece = body.read(most)
            except Exception:  # Whatever it is, somebody waits.
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

        try:
            self._threads.start(run)
        except Failure:
            leave()
            raise

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
        if sum(map(len, self._uploads.values())) + self._lent + len(data) > _MAX_UPLOAD:
            del self._uploads[name]
            raise InvalidParams("data")
        self._uploads[name] += data
        call.done({"body": name})


def _is_header(name, value):
    is_text = isinstance(name, str) and isinstance(value, str) and len(value) <= 65_536
    is_name = is_text and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return is_name and not any(char in value for char in "\r\n\0")


def _decode(text):
    if not isinstance(text, str) or len(text) > -(-MAX_PIECE // 3) * 4:
        raise InvalidParams("body")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParams("body") from None
