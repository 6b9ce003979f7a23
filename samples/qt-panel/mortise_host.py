"""
The host's side of the panel protocol (adapters/webview/PROTOCOL.md), for any view: Python's standard library only.

Everything here runs on one thread, the program's own. What other threads find out they bring there by `later(task)`.
"""

import hmac
import json
import secrets
import threading
from collections import OrderedDict

from failure import Failure, InvalidParams
from host_http import HttpService
from loopback import LoopbackListener, NotLoopback, PortInUse
from navigation import is_redirect, is_web

MAX_MESSAGE_BYTES = 1 << 20
_MIN_MESSAGE_BYTES = 4096
_MAX_UNDER_WAY = 64
_MAX_REMEMBERED = 1000
_MAX_VISITS = 8
_UNKNOWN_METHOD, _INVALID_PARAMS, _FAILED = -32601, -32602, -32000


class Call:
    """One request under way. Answered once; what comes after is dropped."""

    def __init__(self, host, id):
        self._host = host
        self._id = id
        self._is_over = False
        self.is_cancelled = False
        self.on_cancel = lambda: None

    def done(self, result):
        self._end({"id": self._id, "result": result})

    def fail(self, error):
        self._end({"id": self._id, "error": _to_rpc_error(error)})

    def cancel(self):
        if not self._is_over and not self.is_cancelled:
            self.is_cancelled = True
            self.on_cancel()
            self.fail(Failure("aborted"))

    def _end(self, message):
        if not self._is_over:
            self._is_over = True
            self._host.under_way.pop(self._id, None)
            self._host.post(message)


def _to_rpc_error(error):
    if isinstance(error, InvalidParams):
        return {"code": _INVALID_PARAMS, "message": f"wrong or missing: {error}"}
    if not isinstance(error, Failure):
        # A mistake of ours. What it says may quote what was sent, so it stays here.
        error = Failure("bridge_unavailable", problem=type(error).__name__)
    data = {"code": error.code, "details": error.details}
    return {"code": _FAILED, "message": error.code.replace("_", " "), "data": data}


class MemoryStore:
    """Ends with the program. Where sign-ins are to last, put a keychain here: these four functions."""

    def __init__(self):
        self._values = {}

    def get(self, key):
        return self._values.get(key)

    def set(self, key, value):
        self._values[key] = value

    def remove(self, key):
        self._values.pop(key, None)

    def ready(self):
        pass


class Host:
    """
    Serves one panel, load after load.

    `send(text)` hands a message to the page, `later(task)` runs `task` on this thread. `program` is the CAD program:
    `open_browser(url)`, and where it can show a sign-in by itself `open_view(visit, url, redirect_uri)` and `close_view(visit)`.
    """

    def __init__(self, name, send, later, program, store=None, offers=("browser", "view", "http", "store")):
        self._send = send
        self.later = later
        self._program = program
        self._store = store or MemoryStore()
        self.nonce = None
        self.dropped = 0
        self.under_way = {}
        self._remembered = OrderedDict()
        self._visits = {}
        self._watched = set()
        self._limit = MAX_MESSAGE_BYTES
        self._http = HttpService(later, lambda: self._limit)
        every = {
            "browser": self._visit_methods(),
            "view": self._visit_methods(),
            "http": self._http.methods,
            "store": self._store_methods(),
        }
        self._hello = {"protocol": 1, "name": name[:100], "offers": list(offers)}
        self._offers = offers
        self._methods = {"hello": self._greet}
        for offer in offers:
            self._methods.update(every[offer])

    # One load of the panel's page, sections 1 to 3.

    def load(self):
        """Just before the page loads: what was held for the one before is freed. Returns the nonce to hand over."""
        self.leave()
        self._limit = MAX_MESSAGE_BYTES
        self.nonce = secrets.token_urlsafe(24)
        return self.nonce

    def leave(self):
        """The main frame shows another page, or none."""
        self.nonce = None
        for call in list(self.under_way.values()):
            call.cancel()
        for visit in list(self._visits):
            self._close_visit(visit, lambda: None)
        self._http.close()
        self._watched.clear()
        self._remembered.clear()

    def bye(self):
        """The panel is about to be closed."""
        self.notify("bye", {})
        self.leave()

    def receive(self, text):
        """Takes what came over the bridge, from whomever. Never raises: PyQt ends the program for what a slot raises."""
        message = self._read(text)
        if message is None:
            self.dropped += 1
            return
        id, method, params = message.get("id"), message["method"], message.get("params", {})
        if id is None:
            self._hear(method, params)
            return
        if id in self._remembered:
            self.dropped += 1
            return
        self._remembered[id] = True
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        call = Call(self, id)
        is_crowded = len(self.under_way) >= _MAX_UNDER_WAY
        self.under_way[id] = call
        if method not in self._methods:
            self.under_way.pop(id)
            self.post({"id": id, "error": {"code": _UNKNOWN_METHOD, "message": "unknown method"}})
            return
        try:
            if not _is_unicode(params):
                raise InvalidParams("params")
            # Who frees something is never turned away.
            if is_crowded and not method.endswith(".close"):
                raise Failure("rate_limited", status=0, retryAfterMs=None)
            self._methods[method](params, call)
        except Exception as error:  # Whatever it is, the panel waits for an answer.
            call.fail(error)

    def _read(self, text):
        if self.nonce is None or not isinstance(text, str) or len(text) > MAX_MESSAGE_BYTES:
            return None
        try:
            if len(text.encode()) > MAX_MESSAGE_BYTES:
                return None
            message = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return None
        nonce, id, method = message.get("nonce"), message.get("id"), message.get("method")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(errors="replace"), self.nonce.encode()):
            return None
        if not isinstance(method, str) or not isinstance(message.get("params", {}), dict):
            return None
        if "id" in message and not (isinstance(id, str) and len(id) <= 200 and _is_unicode(id)):
            return None
        return message

    def _hear(self, method, params):
        if method == "cancel":
            call = self.under_way.get(params.get("id")) if isinstance(params.get("id"), str) else None
            if call:
                call.cancel()
        elif method == "visit.outcome":
            visit = self._visits.get(params.get("visit")) if isinstance(params.get("visit"), str) else None
            number, kind = params.get("redirect"), params.get("kind")
            tell = visit.waiting.pop(number, None) if visit and isinstance(number, int) else None
            if tell:
                tell(kind if isinstance(kind, str) else "ignored")
        else:
            self.dropped += 1

    def notify(self, method, params):
        self.post({"method": method, "params": params})

    def post(self, message):
        if self.nonce is None:
            return
        text = json.dumps({"jsonrpc": "2.0", "nonce": self.nonce, **message}, ensure_ascii=False)
        if len(text.encode()) <= self._limit:
            self._send(text)
        elif "result" in message:
            problem = "the answer is longer than a message may be"
            self.post({"id": message["id"], "error": _to_rpc_error(Failure("configuration_error", problem=problem))})

    def _greet(self, params, call):
        said = params.get("maxMessageBytes", self._limit)
        if not isinstance(said, (int, float)) or not said >= _MIN_MESSAGE_BYTES:
            raise InvalidParams("maxMessageBytes")
        self._limit = int(min(self._limit, said))
        call.done(self._hello)

    # Section 4: the sign-in page.

    def _visit_methods(self):
        return {
            "visit.open": self._open_visit,
            "visit.navigate": self._navigate,
            "visit.close": lambda params, call: self._close_visit(params.get("visit"), lambda: call.done({})),
        }

    def _open_visit(self, params, call):
        capture, rule = params.get("capture"), params.get("redirect")
        if capture not in ("host", "view") or {"host": "browser", "view": "view"}[capture] not in self._offers:
            raise InvalidParams("capture")
        if not _is_rule(rule):
            raise InvalidParams("redirect")
        # Left by a page whose reload nobody told of, as in Fusion (section 2).
        if len(self._visits) >= _MAX_VISITS:
            self._close_visit(next(iter(self._visits)), lambda: None)
        name = secrets.token_urlsafe(24)
        visit = Visit()
        if capture == "view":
            if not isinstance(rule, list) or len(rule) != 1 or not is_redirect(rule[0], rule[0]):
                raise InvalidParams("redirect")
            visit.redirect_uri = rule[0]
        else:
            def on_redirect(url, tell):
                self.later(lambda: self.redirected(name, url, tell))

            try:
                visit.listener = LoopbackListener(rule, on_redirect)
            except PortInUse as error:
                raise Failure("redirect_port_in_use", ports=error.ports) from None
            except NotLoopback:
                raise Failure("configuration_error", problem="no redirect URI is on loopback") from None
            visit.redirect_uri = visit.listener.redirect_uri
        self._visits[name] = visit
        call.done({"visit": name, "redirectUri": visit.redirect_uri})

    def _navigate(self, params, call):
        name, url = params.get("visit"), params.get("url")
        visit = self._visits.get(name) if isinstance(name, str) else None
        if not visit:
            raise InvalidParams("visit")
        if not isinstance(url, str) or len(url) > 16_384 or not is_web(url):
            raise InvalidParams("url")
        try:
            if visit.listener:
                self._program.open_browser(url)
            else:
                self._program.open_view(name, url, visit.redirect_uri)
                visit.is_shown = True
        except Exception:
            raise Failure("browser_not_opened") from None
        call.done({})

    def place_of(self, name):
        """Where the view of this visit is to be stopped; None when there is no such visit."""
        visit = self._visits.get(name)
        return visit.redirect_uri if visit else None

    def redirected(self, name, url, tell=None):
        """The navigation to the redirect URI, as it was caught. The panel says what becomes of it."""
        visit = self._visits.get(name)
        if not visit or len(url) > 16_384:
            if tell:
                tell("ignored")
            return
        visit.count += 1
        if tell:
            visit.waiting[visit.count] = tell
        self.notify("visit.redirect", {"visit": name, "redirect": visit.count, "url": url})

    def view_closed(self, name):
        """The user has closed the view of a sign-in."""
        if name in self._visits:
            self._visits[name].is_shown = False
            self.notify("visit.window", {"visit": name, "fate": "closed"})

    def _close_visit(self, name, done):
        visit = self._visits.pop(name, None) if isinstance(name, str) else None
        if not visit:
            done()
            return
        for tell in visit.waiting.values():
            tell("ignored")
        if visit.is_shown:
            self._program.close_view(name)
        if not visit.listener:
            done()
            return

        def close():
            visit.listener.close()
            self.later(done)

        threading.Thread(target=close, daemon=True).start()

    # Section 5: storage.

    def _store_methods(self):
        def get(params, call):
            call.done({"value": self._store.get(_key(params))})

        def put(params, call):
            value = params.get("value")
            if not isinstance(value, str) or len(value) > 262_144:
                raise InvalidParams("value")
            self._store.set(_key(params), value)
            call.done({})
            self._changed(params["key"])

        def remove(params, call):
            self._store.remove(_key(params))
            call.done({})
            self._changed(params["key"])

        def ready(params, call):
            self._store.ready()
            call.done({})

        def watch(params, call):
            if len(self._watched) >= 1000:
                raise Failure("rate_limited", status=0, retryAfterMs=None)
            self._watched.add(_key(params))
            call.done({})

        def unwatch(params, call):
            self._watched.discard(_key(params))
            call.done({})

        functions = {"get": get, "set": put, "remove": remove, "ready": ready, "watch": watch, "unwatch": unwatch}
        return {f"store.{name}": function for name, function in functions.items()}

    def _changed(self, key):
        if key in self._watched:
            self.notify("store.changed", {"key": key})


class Visit:
    def __init__(self):
        self.redirect_uri = ""
        self.listener = None
        self.is_shown = False
        self.count = 0
        # By the number of the redirect: what answers the browser that waits.
        self.waiting = {}


def _is_unicode(value):
    """JSON may escape half of a surrogate pair, which no message in UTF-8 could carry back."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _key(params):
    key = params.get("key")
    if not isinstance(key, str) or len(key) > 1024:
        raise InvalidParams("key")
    return key


def _is_rule(rule):
    if isinstance(rule, list):
        return 0 < len(rule) <= 32 and all(isinstance(uri, str) and len(uri) <= 2048 for uri in rule)
    if not isinstance(rule, dict) or rule.get("loopback") not in ("127.0.0.1", "localhost"):
        return False
    path, ports = rule.get("path"), rule.get("ports")
    if not isinstance(path, str) or len(path) > 1024 or (path and not path.startswith("/")):
        return False
    if ports == "any":
        return True
    are_ports = isinstance(ports, list) and len(ports) <= 64 and len(ports) > 0
    return are_ports and all(type(port) is int and 0 < port < 65536 for port in ports)
