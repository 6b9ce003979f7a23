"""Catches the redirect of a sign-in in the system's browser: a server on this computer alone (RFC 8252 section 7.3)."""

import errno
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from navigation import is_redirect

_LONGEST_ADDRESS = 16_384
# How long a browser is kept waiting for what became of its redirect.
_OUTCOME_TIMEOUT_S = 30
# The redirect is answered with an address of our own, so that the code leaves the address bar; time to fetch that.
_LAST_PAGE_S = 0.7

_PAGES = {
    "signedIn": ("Signed in", "You can close this window and go back to the program."),
    "failed": ("Not signed in", "Go back to the program: it says why."),
    "ignored": ("Nothing to see here", "This address belongs to no sign-in that waits."),
}
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    "<title>{0}</title><style>body{{font:1rem/1.5 system-ui,sans-serif;margin:4rem auto;padding:0 1rem;max-width:30rem}}</style>"
    "<h1>{0}</h1><p>{1}"
)
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "content-type": "text/html; charset=utf-8",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class PortInUse(Exception):
    def __init__(self, ports):
        super().__init__(ports)
        self.ports = ports


class NotLoopback(Exception):
    pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # On Windows this word means that another program may have the port as well.
    allow_reuse_address = os.name != "nt"

    def server_bind(self):
        if self.allow_reuse_address:
            # Else the connections of the sign-in before hold the port for a minute.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Not the one of HTTPServer, which asks DNS for the name of this computer.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class _Server6(_Server):
    address_family = socket.AF_INET6


def _bind(loopback, port, handler):
    """Both stacks for `localhost`: a browser asks ::1 first, where another program must not sit."""
    servers = [_Server(("127.0.0.1", port), handler)]
    try:
        if loopback == "localhost":
            servers.append(_Server6(("::1", servers[0].server_address[1]), handler))
    except OSError as error:
        # A computer without IPv6 has no ::1 to sit on.
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            servers[0].server_close()
            raise
    return servers


class LoopbackListener:
    """
    Holds a port until `free`. `on_redirect(url, tell)` is called on a thread of its own with every redirect, exactly as it
    arrived; `tell(kind)` answers the browser, until `on_given_up(tell)`.
    """

    def __init__(self, rule, on_redirect, on_given_up):
        self._on_redirect = on_redirect
        self._on_given_up = on_given_up
        self._last_page = threading.Event()
        # A browser was told how its sign-in ended, and comes back for the page that says so.
        self.owes_page = False
        self._servers, self.redirect_uri = self._reserve(rule)
        self._host = urlsplit(self.redirect_uri).netloc
        self._path = urlsplit(self.redirect_uri).path or "/"
        self._served = []
        try:
            for server in self._servers:
                threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
                self._served.append(server)
        except RuntimeError:  # Too many threads.
            self.free()
            raise

    def _reserve(self, rule):
        if isinstance(rule, list):
            places = [place for place in (_place_of(uri) for uri in rule) if place]
            if not places:
                raise NotLoopback()
        else:
            host, path = rule["loopback"], rule["path"]
            ports = [0] * 4 if rule["ports"] == "any" else rule["ports"]
            places = [(host, port, lambda bound: f"http://{host}:{bound}{path}") for port in ports]
        for loopback, port, spell in places:
            try:
                servers = _bind(loopback, port, self._handler())
            except OSError:
                continue
            return servers, spell(servers[0].server_address[1])
        raise PortInUse([port for _, port, _ in places if port])

    def _handler(self):
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10
            server_version = "mortise"
            sys_version = ""

            def do_GET(self):
                listener._answer(self)

            def log_message(self, *_):
                pass  # An address with a code in it belongs into no log.

        return Handler

    def _answer(self, request):
        path = request.path.split("?")[0]
        # A page somewhere else can point a name of its own at this computer.
        if request.headers.get_all("host") != [self._host]:
            return _refuse(request, 421)
        if len(request.path) > _LONGEST_ADDRESS:
            return _refuse(request, 414)
        if path.startswith("/mortise-") and path[9:] in _PAGES:
            _show(request, path[9:])
            self._last_page.set()
            return None
        url = f"http://{self._host}{request.path}"
        if path != self._path or not is_redirect(url, self.redirect_uri):
            return _refuse(request, 404)
        answered = threading.Event()
        outcome = ["ignored"]

        def tell(kind):
            outcome[0] = kind if kind in _PAGES else "ignored"
            self.owes_page = self.owes_page or kind != "ignored"
            answered.set()

        self._on_redirect(url, tell)
        if not answered.wait(_OUTCOME_TIMEOUT_S):
            self._on_given_up(tell)
        request.send_response(303)
        request.send_header("location", f"/mortise-{outcome[0]}")
        for name, value in {**_HEADERS, "content-length": "0", "connection": "close"}.items():
            request.send_header(name, value)
        request.end_headers()
        return None

    def wait_for_page(self):
        """Until the browser has its last page, within a second; not for a thread that must not stop."""
        self._last_page.wait(_LAST_PAGE_S)

    def free(self):
        """Frees the port at once, also for the second time."""
        for server in self._servers:
            try:
                server.socket.shutdown(socket.SHUT_RDWR)  # Ends the waiting, where the system does so.
            except OSError:
                pass
            if server in self._served:
                server.shutdown()
            server.server_close()


def _place_of(uri):
    try:
        split = urlsplit(uri)
        port = split.port or 80
    except ValueError:
        return None
    if split.scheme != "http" or split.hostname not in ("localhost", "127.0.0.1") or "@" in split.netloc or split.fragment:
        return None
    # Exactly as it was registered.
    return split.hostname, port, lambda bound: uri


def _show(request, kind):
    body = _PAGE.format(*_PAGES[kind]).encode()
    request.send_response(200)
    for name, value in {**_HEADERS, "content-length": str(len(body)), "connection": "close"}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


def _refuse(request, status):
    request.send_response(status)
    request.send_header("content-length", "0")
    request.send_header("connection", "close")
    request.end_headers()
