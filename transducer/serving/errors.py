"""What a client is told when there is no answer.

::

    RequestError(RuntimeError)      catch this one to catch all of them
    ├── MalformedError       422    a request that cannot be understood, or asks for more than there is
    ├── UnknownServedError   404    a transducer or task that is not served
    ├── TooLargeError        413    code, or a whole request, beyond the limit
    ├── UnauthorisedError    401    no token, or a wrong one
    ├── ForbiddenError       403    a folder outside of the root, or adding where it is switched off
    ├── NameTakenError       409    a transducer of that name is served already
    ├── OverloadedError      429    the queue is full; Retry-After says when to come back
    ├── DrainingError        503    the server is about to stop
    ├── ExhaustedError       503    not enough memory for this request
    ├── TimedOutError        504    no answer within the time limit
    └── GoneError            499    the client has left; nobody reads this

All derive from `TransducerError`. On the wire: `{"error": {"type": "overloaded", "message": "..."}}`. A message is one line:
what is wrong, what was given, what was expected, what to do.
"""
from __future__ import annotations

from ..errors import TransducerError


class RequestError(TransducerError, RuntimeError):
    """Base of these errors; `status` of HTTP, `kind` on the wire, `headers` to send along."""

    status = 500
    kind = "failed"

    @property
    def headers(self) -> dict[str, str]:
        return {}


class MalformedError(RequestError):
    """A request that cannot be understood, or asks for more than there is."""

    status, kind = 422, "malformed"


class UnknownServedError(RequestError):
    """A transducer or task that is not served."""

    status, kind = 404, "unknown"


class TooLargeError(RequestError):
    """Code, or a whole request, beyond the limit."""

    status, kind = 413, "too_large"


class UnauthorisedError(RequestError):
    """No token, or a wrong one."""

    status, kind = 401, "unauthorised"

    @property
    def headers(self):
        return {"WWW-Authenticate": "Bearer"}


class ForbiddenError(RequestError):
    """A folder outside of the root, or adding where it is switched off."""

    status, kind = 403, "forbidden"


class NameTakenError(RequestError):
    """A transducer of that name is served already."""

    status, kind = 409, "name_taken"


class OverloadedError(RequestError):
    """The queue is full; `seconds` until it is worth to come back."""

    status, kind = 429, "overloaded"

    def __init__(self, message: str, seconds: int = 1):
        super().__init__(message)
        self.seconds = seconds

    @property
    def headers(self):
        return {"Retry-After": str(self.seconds)}


class DrainingError(RequestError):
    """The server is about to stop."""

    status, kind = 503, "draining"


class ExhaustedError(RequestError):
    """Not enough memory for this request."""

    status, kind = 503, "exhausted"


class TimedOutError(RequestError):
    """No answer within the time limit."""

    status, kind = 504, "timed_out"


class GoneError(RequestError):
    """The client has left."""

    status, kind = 499, "gone"
