"""
The host's side of the panel protocol (adapters/webview/PROTOCOL.md), for any view: Python's standard library only.

Everything here runs on one thread, the program's own. What other threads find out they bring there by `later(task)`.
"""

import hmac
import json
import secrets
from collections import OrderedDict

from failure import Failure, InvalidParams
from host_calls import UNKNOWN_METHOD, Call, shortened
from host_http import HttpService
from host_store import MemoryStore, StoreService
from host_visits import Visits

MAX_MESSAGE_BYTES = 1 << 20
_MIN_MESSAGE_BYTES = 4096
_MAX_UNDER_WAY = 64
_MAX_REMEMBERED = 1000


class Host:
    """
    Serves one panel, load after load.

    `send(text)` hands a message to the page, `later(task)` runs `task` on this thread. `program` is the CAD program:
    `open_browser(url)`, and where it can show a sign-in by itself `open_view(visit, url, redirect_uri)` and `close_view(visit)`.
    """

    def __init__(self, name, send, later, program, store=None, offers=("browser", "view", "http", "store")):
        self._send = send
        self.later = later
        self.nonce = None
        self.dropped = 0
        self.under_way = {}
        self._remembered = OrderedDict()
        self._limit = MAX_MESSAGE_BYTES
        self._visits = Visits(program, offers, later, self.notify)
        self._http = HttpService(later, lambda: self._limit)
        self._stored = StoreService(store or MemoryStore(), self.notify)
        every = {
            "browser": self._visits.methods,
            "view": self._visits.methods,
            "http": self._http.methods,
            "store": self._stored.methods,
        }
        self._hello = {"protocol": 1, "name": name[:100], "offers": list(offers)}
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
            _cancel(call)
        self._visits.close_all()
        self._http.close()
        self._stored.watched.clear()
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
        # One may be under way for longer than it is remembered.
        if id in self._remembered or id in self.under_way:
            self.dropped += 1
            return
        self._remembered[id] = True
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        call = Call(self, id, method)
        is_crowded = len(self.under_way) >= _MAX_UNDER_WAY
        self.under_way[id] = call
        if method not in self._methods:
            self.under_way.pop(id)
            self.post({"id": id, "error": {"code": UNKNOWN_METHOD, "message": "unknown method"}})
            return
        try:
            if not _is_unicode(params):
                raise InvalidParams("params")
            if is_crowded and not call.is_closing:
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
            if call and not call.is_closing:
                _cancel(call)
        elif method == "visit.outcome":
            self._visits.hear_outcome(params)
        else:
            self.dropped += 1

    def notify(self, method, params):
        """Whether it was sent."""
        return self.post({"method": method, "params": params})

    def post(self, message, nonce=None):
        """Whether it was sent, whole. `nonce`: of the page it is for, which may be gone."""
        if self.nonce is None or nonce not in (None, self.nonce):
            return False
        text = self._to_text(message)
        is_whole = len(text.encode()) <= self._limit
        if not is_whole:
            shorter = shortened(message)
            if shorter is None:
                return False
            text = self._to_text(shorter)
        self._send(text)
        return is_whole

    def _to_text(self, message):
        return json.dumps({"jsonrpc": "2.0", "nonce": self.nonce, **message}, ensure_ascii=False)

    def _greet(self, params, call):
        said = params.get("maxMessageBytes", self._limit)
        if not isinstance(said, (int, float)) or not said >= _MIN_MESSAGE_BYTES:
            raise InvalidParams("maxMessageBytes")
        self._limit = int(min(self._limit, said))
        call.done(self._hello)

    # What the program tells of its views.

    def place_of(self, name):
        """Where the view of this visit is to be stopped; None when there is no such visit."""
        return self._visits.place_of(name)

    def redirected(self, name, url):
        """The navigation to the redirect URI, as it was caught. The panel says what becomes of it."""
        self._visits.redirected(name, url)

    def view_closed(self, name):
        """The user has closed the view of a sign-in."""
        self._visits.view_closed(name)


def _cancel(call):
    try:
        call.cancel()
    except Exception:
        pass  # It is answered. What could not be freed ends by itself.


def _is_unicode(value):
    """JSON may escape half of a surrogate pair, which no message in UTF-8 could carry back."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
