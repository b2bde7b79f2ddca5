"""What a refusal means for a person, and what they can do: by HTTP status."""

from collections.abc import Mapping

from designhub.language import Lazy, lazy

BACK = lazy("Your browser’s back leads to the page before, with what you typed.")
WORDS: Mapping[int, tuple[Lazy, Lazy]] = {
    401: (lazy("Please sign in"), lazy("Nothing was changed. Sign in, then do it again.")),
    403: (lazy("Not possible for you"), lazy("Ask its owner, or open the page again.")),
    404: (lazy("Not found"), lazy("Check the address. If it is private, sign in as its owner.")),
    405: (lazy("Not possible here"), lazy("This address is for a button. Open its page instead.")),
    409: (lazy("Not possible now"), lazy("Something changed meanwhile. Open the page again.")),
    410: (lazy("It is gone"), lazy("It was here once and will not come back.")),
    413: (lazy("Too large"), lazy("Send less at once; the operator may raise the limit.")),
    429: (lazy("Too often"), lazy("Wait a few minutes, then try again.")),
    503: (lazy("Not now"), lazy("Nothing was changed. Try again in a few minutes.")),
}
MISTAKE = (lazy("That did not work"), BACK)
FAILED = (
    lazy("The hub failed"),
    lazy("It is not your fault. Tell the operator the request below."),
)


def of_status(status: int) -> tuple[Lazy, Lazy]:
    """What happened, and what one can do."""
    return WORDS.get(status, MISTAKE if status < 500 else FAILED)
