"""Requests of the panel under way, and what they are answered with (PROTOCOL.md sections 1, 3 and 6)."""

from failure import Failure, InvalidParams

UNKNOWN_METHOD, _INVALID_PARAMS, _FAILED = -32601, -32602, -32000


class Call:
    """One request under way. Answered once, to the page that asked; what comes after is dropped."""

    def __init__(self, host, id, method):
        self._host = host
        self._id = id
        self._nonce = host.nonce
        # Who frees something is never turned away, and goes through with it.
        self.is_closing = method.endswith(".close")
        self.is_cancelled = False
        self._is_over = False
        self.on_cancel = lambda: None

    def done(self, result):
        """False: the page was not told so."""
        return self._end({"id": self._id, "result": result})

    def fail(self, error):
        self._end({"id": self._id, "error": to_rpc_error(error)})

    def cancel(self):
        if self._is_over or self.is_cancelled:
            return
        self.is_cancelled = True
        try:
            self.on_cancel()
        finally:
            self.fail(Failure("aborted"))

    def _end(self, message):
        if self._is_over:
            return False
        self._is_over = True
        if self._host.under_way.get(self._id) is self:
            del self._host.under_way[self._id]
        return self._host.post(message, self._nonce)


def to_rpc_error(error):
    if isinstance(error, InvalidParams):
        return {"code": _INVALID_PARAMS, "message": f"wrong or missing: {error}"}
    if not isinstance(error, Failure):
        # A mistake of ours. What it says may quote what was sent, so it stays here.
        error = Failure("bridge_unavailable", problem=type(error).__name__)
    data = {"code": error.code, "details": error.details}
    return {"code": _FAILED, "message": error.code.replace("_", " "), "data": data}


def shortened(message):
    """What goes in place of a message that does not fit; None: nothing does."""
    if "result" in message:
        problem = "the answer is longer than a message may be"
        return {"id": message["id"], "error": to_rpc_error(Failure("configuration_error", problem=problem))}
    error = message.get("error", {})
    if "data" not in error:
        return None
    return {"id": message["id"], "error": {**error, "data": {"code": error["data"]["code"]}}}
