"""Threads for work that waits, up to a number."""

import threading

from failure import Failure


class Threads:
    """
    One counts until it ends, also when nobody wants any more what it does: the look-up of a name, say, cannot be stopped, and
    a page that asks and withdraws must not fill the program with those.
    """

    def __init__(self, most):
        self._free = threading.Semaphore(most)

    def start(self, task):
        if not self._free.acquire(blocking=False):
            raise Failure("rate_limited", status=0, retryAfterMs=None)

        def run():
            try:
                task()
            finally:
                self._free.release()

        try:
            threading.Thread(target=run, daemon=True).start()
        except Exception:  # The system has no more of them.
            self._free.release()
            raise Failure("rate_limited", status=0, retryAfterMs=None) from None
