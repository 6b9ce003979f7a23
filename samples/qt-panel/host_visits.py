"""The sign-in page: where its redirect is caught, and who shows it (PROTOCOL.md section 4)."""

import secrets
import threading

from failure import Failure, InvalidParams
from loopback import LoopbackListener, NotLoopback, PortInUse
from navigation import is_redirect, is_web

_MAX_VISITS = 8
_LONGEST_ADDRESS = 16_384


class Visits:
    """`notify(method, params)` tells the panel, and says whether it could."""

    def __init__(self, program, offers, later, notify):
        self._program = program
        self._offers = offers
        self._later = later
        self._notify = notify
        self._open = {}
        # Their sign-in is over. They wait for a browser to fetch its last page.
        self._closing = set()
        self.methods = {
            "visit.open": self._open_visit,
            "visit.navigate": self._navigate,
            "visit.close": lambda params, call: self.close(params.get("visit"), lambda: call.done({})),
        }

    def close_all(self):
        for name in list(self._open):
            try:
                self.close(name, lambda: None)
            except Exception:
                pass  # A view that cannot be closed is in nobody's way.

    def _open_visit(self, params, call):
        capture, rule = params.get("capture"), params.get("redirect")
        if capture not in ("host", "view") or {"host": "browser", "view": "view"}[capture] not in self._offers:
            raise InvalidParams("capture")
        if not _is_rule(rule):
            raise InvalidParams("redirect")
        # Left by a page whose reload nobody told of, as in Fusion (section 2).
        if len(self._open) >= _MAX_VISITS:
            self.close(next(iter(self._open)), lambda: None)
        name = secrets.token_urlsafe(24)
        visit = Visit()
        if capture == "view":
            if not isinstance(rule, list) or len(rule) != 1 or not is_redirect(rule[0], rule[0]):
                raise InvalidParams("redirect")
            visit.redirect_uri = rule[0]
        else:
            visit.listener = self._listen(name, rule)
            visit.redirect_uri = visit.listener.redirect_uri
        self._open[name] = visit
        if not call.done({"visit": name, "redirectUri": visit.redirect_uri}):
            self.close(name, lambda: None)

    def _listen(self, name, rule):
        def on_redirect(url, tell):
            self._later(lambda: self.redirected(name, url, tell))

        def on_given_up(tell):
            self._later(lambda: self._forget(name, tell))

        try:
            try:
                return LoopbackListener(rule, on_redirect, on_given_up)
            except PortInUse:
                if not self._closing:
                    raise
                # Perhaps by the sign-in before. Its last page is one that the next listener shows as well.
                for listener in list(self._closing):
                    listener.free()
                return LoopbackListener(rule, on_redirect, on_given_up)
        except PortInUse as error:
            raise Failure("redirect_port_in_use", ports=error.ports) from None
        except NotLoopback:
            raise Failure("configuration_error", problem="no redirect URI is on loopback") from None

    def _navigate(self, params, call):
        name, url = params.get("visit"), params.get("url")
        visit = self._open.get(name) if isinstance(name, str) else None
        if not visit:
            raise InvalidParams("visit")
        if not isinstance(url, str) or len(url) > _LONGEST_ADDRESS or not is_web(url):
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
        visit = self._open.get(name)
        return visit.redirect_uri if visit else None

    def redirected(self, name, url, tell=None):
        visit = self._open.get(name)
        if visit and len(url) <= _LONGEST_ADDRESS:
            visit.count += 1
            number = visit.count
            if tell:
                visit.waiting[number] = tell
            if self._notify("visit.redirect", {"visit": name, "redirect": number, "url": url}):
                return
            # Too long for a message.
            visit.count -= 1
            visit.waiting.pop(number, None)
        if tell:
            tell("ignored")

    def hear_outcome(self, params):
        name, number, kind = params.get("visit"), params.get("redirect"), params.get("kind")
        visit = self._open.get(name) if isinstance(name, str) else None
        tell = visit.waiting.pop(number, None) if visit and isinstance(number, int) else None
        if tell:
            tell(kind if isinstance(kind, str) else "ignored")

    def _forget(self, name, tell):
        visit = self._open.get(name)
        for number, other in list(visit.waiting.items()) if visit else []:
            if other is tell:
                del visit.waiting[number]

    def view_closed(self, name):
        if name in self._open:
            self._open[name].is_shown = False
            self._notify("visit.window", {"visit": name, "fate": "closed"})

    def close(self, name, done):
        visit = self._open.pop(name, None) if isinstance(name, str) else None
        if not visit:
            done()
            return
        for tell in visit.waiting.values():
            tell("ignored")
        if visit.is_shown:
            self._program.close_view(name)
        if visit.listener and visit.listener.owes_page:
            self._close_later(visit.listener, done)
            return
        if visit.listener:
            visit.listener.free()
        done()

    def _close_later(self, listener, done):
        def close():
            listener.wait_for_page()
            listener.free()
            self._later(over)

        def over():
            self._closing.discard(listener)
            done()

        self._closing.add(listener)
        try:
            threading.Thread(target=close, daemon=True).start()
        except RuntimeError:  # Too many threads: there is no last page, then.
            listener.free()
            over()


class Visit:
    def __init__(self):
        self.redirect_uri = ""
        self.listener = None
        self.is_shown = False
        self.count = 0
        # By the number of the redirect: what answers the browser that waits.
        self.waiting = {}


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
