"""One manifest while it is read: the faults told so far, and the words they are told in."""

import re
from collections.abc import Callable

from designs.okh.model import Fault, Generation, Json, Severity, Tree
from designs.okh.syntax import Number, Path, Plain, Value, key_text
from designs.okh.text import Text

Check = Callable[["Reading", Path, Value], Json]

_PLACEHOLDER = re.compile(
    r"(?:todo|tbd|tba|fixme|changeme|change me|placeholder|xxx+|\?\?+|\.\.\.|…)[.:! ]*"
    r"|\[[^\[\]]+\]|<[^<>@]+>|\{\{.*\}\}|\$\{.*\}|lorem ipsum.*",
    re.IGNORECASE | re.DOTALL,
)
_YOURS = re.compile(
    r"(?:.*[/<])?your?[-_ ]?(?:awesome[-_ ]?)?"
    r"(?:project|design|name|user(?:name)?|org(?:ani[sz]ation)?|repo(?:sitory)?|company|title)"
    r"(?:[-_ ]?(?:name|here))?(?:[/>].*| <.*)?"
    r"|https?://.*/(?-i:YOU|USER|USERNAME|OWNER|ORG)(?:/.*)?",
    re.IGNORECASE,
)
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


class Reading:
    """One manifest while it is read: where things stand, and what was wrong with them."""

    def __init__(self, text: Text, tree: Tree) -> None:
        self.text = text
        self.tree = tree
        self.generation = Generation.UNKNOWN
        self.faults: list[Fault] = list(text.faults)
        self.slots: set[str] = set()  # image slots already used

    def fault(
        self,
        code: str,
        path: Path,
        text: str,
        *,
        severity: Severity = Severity.WARNING,
        fix: str | None = None,
    ) -> None:
        """Tell one mistake, unless it lies in a broken line that was told already."""
        if path and path[0] in self.text.saved:
            return
        self.faults.append(
            Fault(
                code=code,
                key=key_text(path),
                line=self.text.line(path),
                severity=severity,
                text=text,
                fix=fix,
            )
        )

    def check(self, path: Path, value: Value, check: Check) -> Json:
        """Run a check, unless there is nothing to check: an empty value, or a template's words."""
        if is_empty(value):
            self.fault(
                "empty_value", path, f"`{key_text(path)}` is empty: fill it in or remove it."
            )
            return None
        if isinstance(value, str) and is_placeholder(value):
            self.fault(
                "placeholder",
                path,
                f"`{key_text(path)}` still holds a template's words, “{short(value)}”: "
                "fill it in or remove it.",
            )
            return None
        return check(self, path, value)

    def wrong_type(self, path: Path, wanted: str, value: Value, *, fix: str | None = None) -> None:
        """Tell that a value has another shape than the standard wants."""
        self.fault(
            "wrong_type",
            path,
            f"`{key_text(path)}` should be {wanted}; it is {shape(value)}.",
            fix=fix,
        )


def is_empty(value: Value) -> bool:
    """Nothing, blank text, an empty list or table, or one of YAML's words for nothing."""
    if isinstance(value, str):
        return not value.strip() or (isinstance(value, Plain) and value in _NOTHING)
    return value is None or value == [] or value == {}


def is_placeholder(text: str) -> bool:
    """Words a template puts where a person should write."""
    text = text.strip()
    return _PLACEHOLDER.fullmatch(text) is not None or (
        len(text) < 120 and "\n" not in text and _YOURS.fullmatch(text) is not None
    )


def shape(value: Value) -> str:
    """The kind of a value, for a sentence."""
    if isinstance(value, bool):
        return "true or false"
    kinds: tuple[tuple[type, str], ...] = (
        (str, "a text"),
        (int, "a number"),
        (float, "a number"),
        (list, "a list"),
        (dict, "a table"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "nothing")


def short(text: str) -> str:
    """At most 60 characters of a text, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "…"


def written(value: Value) -> str:
    """A number, a truth value or a text as it was written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.text if isinstance(value, Number) else str(value)
