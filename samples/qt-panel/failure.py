"""What a request can fail with."""


class InvalidParams(Exception):
    """`params` that cannot be read."""


class Failure(Exception):
    """One of the codes of PROTOCOL.md section 6."""

    def __init__(self, code, **details):
        super().__init__(code)
        self.code = code
        self.details = details
