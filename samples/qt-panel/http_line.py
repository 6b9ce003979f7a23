"""The connection of one HTTP request, which can be cut at any time."""

import errno
import http.client
import os
import selectors
import socket
import ssl
import time
import urllib.request

# How soon a connection that is still being made is left.
_LEAVE_S = 0.05
_IS_COMING = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


class Line:
    def __init__(self):
        self._sock = None
        self._is_cut = False

    def cut(self):
        """Ends what waits for it. What has not gone out by now never will."""
        self._is_cut = True
        if self._sock:
            try:
                # Not the method of a TLS socket, which others are still reading from.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
            except OSError:
                pass  # It has ended.

    def hold(self, sock):
        # In this order: whoever cuts meanwhile finds the one or the other.
        self._sock = sock
        self._check()

    def connect(self, address, timeout, source=None):
        """As `socket.create_connection`."""
        failure = OSError("no address")
        for family, kind, protocol, _, place in socket.getaddrinfo(*address, 0, socket.SOCK_STREAM):
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                self._reach(sock, place, time.monotonic() + timeout)
                sock.settimeout(timeout)
                self.hold(sock)
                return sock
            except OSError as error:
                failure = error
                if sock:
                    sock.close()
        raise failure

    def _reach(self, sock, place, end):
        self._check()
        sock.setblocking(False)
        problem = sock.connect_ex(place)
        if problem in _IS_COMING:
            with selectors.DefaultSelector() as selector:
                selector.register(sock, selectors.EVENT_WRITE)
                while not selector.select(_LEAVE_S):
                    self._check()
                    if time.monotonic() > end:
                        raise TimeoutError()
            problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise OSError(problem, os.strerror(problem))

    def _check(self):
        if self._is_cut:
            raise ConnectionAbortedError()


def opener(proxies):
    """Sends requests, each on its `line`. `proxies`: None for those of the system."""
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _Http, _Https, _NothingFollowed)


class _NothingFollowed(urllib.request.HTTPErrorProcessor):
    """A redirect is an answer, and so is an error."""

    def http_response(self, request, response):
        return response

    https_response = http_response


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request):
        return self.do_open(_held(http.client.HTTPConnection, request.line), request)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, request):
        # Certificates and names are checked, against what this system trusts.
        context = ssl.create_default_context()
        context.sslsocket_class = _held_handshake(request.line)
        return self.do_open(_held(http.client.HTTPSConnection, request.line), request, context=context)


def _held(connection, line):
    class Held(connection):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self._create_connection = line.connect

        def connect(self):
            super().connect()
            line.hold(self.sock)

    return Held


def _held_handshake(line):
    class Held(ssl.SSLSocket):
        def do_handshake(self, *args):
            line.hold(self)
            super().do_handshake(*args)

    return Held
