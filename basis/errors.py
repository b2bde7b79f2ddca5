"""What can go wrong, in the words of the one who must do something about it.

HubError                 a failure this project knows how to explain
├── Invalid              the request itself is wrong: change it
├── NotSignedIn          say who you are
├── NotYours             it exists, but you may not do this to it
├── NotFound             no such thing, or none that you may see
├── NotAllowed           the thing exists, but not in a state where this may happen
│   └── Conflict         somebody else was first, or said something else under the same name
├── TooLarge             over a stated limit
├── TooMany              slow down and try again later
└── Unavailable          something this hub needs is missing, full or away: its operator must act

Packages derive their own from these beside the code that raises them; `designhub.errors` holds the
only table from error to HTTP status.
"""


class HubError(Exception):
    """A failure this project knows how to explain.

    The class says what the caller can do, `code` is the stable word a client may match on, and
    the message names the thing that failed, the value it had, and what would be accepted.
    """

    code = "error"


class Invalid(HubError):
    """The request is wrong whatever the state of the hub: the caller must change it."""

    code = "invalid"


class NotSignedIn(HubError):
    """The caller must say who they are."""

    code = "not_signed_in"


class NotYours(HubError):
    """The caller is known and may see the thing, but may not do this to it."""

    code = "not_yours"


class NotFound(HubError):
    """There is no such thing, or none that the caller may see."""

    code = "not_found"


class NotAllowed(HubError):
    """The thing exists, but not in a state where this may happen."""

    code = "not_allowed"


class Conflict(NotAllowed):
    """Somebody else was first, or the same name was used for something else before."""

    code = "conflict"


class TooLarge(HubError):
    """A stated limit of size was passed."""

    code = "too_large"


class TooMany(HubError):
    """A stated limit of rate was passed; `again_s` says when to try again."""

    code = "too_many"

    def __init__(self, message: str, *, again_s: int) -> None:
        super().__init__(message)
        self.again_s = again_s


class Unavailable(HubError):
    """Something this hub needs is missing, full or away; its operator must act."""

    code = "unavailable"
