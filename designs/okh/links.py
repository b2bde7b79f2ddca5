"""Checks of links and files: http(s) only, inside the repository only, present in the commit."""

import re
from urllib.parse import urlsplit

from designs.okh.model import Severity
from designs.okh.reading import Reading, short
from designs.okh.syntax import Path, Value, key_text
from designs.okh.texts import each_of, text

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_NOT_IN_URL = re.compile(r"""[\s\x00-\x20"<>\\^`{|}\x7f]""")


def url_problem(address: str) -> str | None:
    """Why an http(s) address cannot be used, or None when it can."""
    if _NOT_IN_URL.search(address):
        return "it holds a space or a character that addresses do not allow"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return "it must begin with https:// or http://"
    if not host or not host.strip("."):
        return "it names no host"
    if "@" in parts.netloc:
        return "it carries a user name"
    return None


def url(reading: Reading, path: Path, value: Value) -> str | None:
    """A web address, http or https, with stray spaces told and removed."""
    found = text(reading, path, value)
    if found is None:
        return None
    scheme = _SCHEME.match(found)
    if scheme:
        found = scheme[1].lower() + found[scheme.end() - 1 :]
    problem = url_problem(found)
    if problem:
        reading.fault("address", path, f"“{short(found)}” is not a web address: {problem}.")
        return None
    if isinstance(value, str) and value != value.strip():
        reading.fault(
            "spaces",
            path,
            f"`{key_text(path)}` has spaces around the address.",
            severity=Severity.NOTE,
            fix=found,
        )
    return found


def file(reading: Reading, path: Path, value: Value) -> str | None:
    """A path inside the repository or a web address; cleaned, and looked up in the commit."""
    if not isinstance(value, str):
        found = text(reading, path, value)
        if found is None:
            return None
        value = found
    scheme = _SCHEME.match(value.strip())
    if scheme and scheme[1].lower() in ("http", "https"):
        return url(reading, path, value)
    cleaned = _inside(reading, path, value)
    if cleaned is not None and reading.tree(cleaned) is None:
        folder = value.rstrip().endswith("/")
        reading.fault(
            "folder" if folder else "path_missing",
            path,
            f"“{short(cleaned)}” is a folder: name the files that are meant."
            if folder
            else f"This commit has no file “{short(cleaned)}”: add it, or correct the path.",
            severity=Severity.NOTE if folder else Severity.WARNING,
        )
    return cleaned


def _inside(reading: Reading, path: Path, value: str) -> str | None:
    """The path from the root of the repository; None, with a fault, when it leads elsewhere."""
    found = value.strip()
    scheme = _SCHEME.match(found)
    if (scheme and len(scheme[1]) > 1) or found.startswith("//"):
        reading.fault(
            "address",
            path,
            f"“{short(found)}” is neither a path in the repository nor an http(s) address.",
        )
        return None
    steps: list[str] = []
    outside = scheme is not None or re.search(r"[\x00-\x1f\x7f]", found) is not None  # C:\x
    for step in found.replace("\\", "/").split("/"):
        if step == "..":
            outside = outside or not steps
            steps = steps[:-1]
        elif step not in ("", "."):
            steps.append(step)
    if outside or not steps:
        reading.fault(
            "path_outside", path, f"“{short(found)}” does not lead to a file inside the repository."
        )
        return None
    cleaned = "/".join(steps)
    wrong = {
        "it begins with a slash": found.startswith("/"),
        "it is written with backslashes": "\\" in found,
        "it goes up and down again": ".." in found.replace("\\", "/").split("/"),
        "it has spaces around it": value != found,
    }
    reasons = [reason for reason, applies in wrong.items() if applies]
    if reasons:
        reading.fault(
            "path_style",
            path,
            f"“{short(found)}” is read as “{short(cleaned)}”: {' and '.join(reasons)}.",
            severity=Severity.NOTE,
            fix=cleaned,
        )
    return cleaned


def files(reading: Reading, path: Path, value: Value) -> list[str] | None:
    """A file or address, or a list of them."""
    return each_of(reading, path, value, file)


def titled_files(reading: Reading, path: Path, value: Value) -> list[str] | None:
    """Version 1.0's list of {path, title}; plain paths are told once and taken."""
    entries = value if isinstance(value, list) else [value]
    strays = [each for each in entries if not isinstance(each, dict)]
    if strays or not isinstance(value, list):
        wrong = strays[0] if strays else value
        reading.wrong_type(path, "a list of tables with a path and a title", wrong)
    found = []
    for i, entry in enumerate(entries):
        place = (*path, i) if isinstance(value, list) else path
        if isinstance(entry, dict):
            if "path" not in entry:
                reading.fault("missing", (*place, "path"), "The entry lacks its `path`.")
                continue
            cleaned = reading.check((*place, "path"), entry["path"], file)
        else:
            cleaned = reading.check(place, entry, file) if isinstance(entry, str) else None
        if cleaned is not None:
            found.append(cleaned)
    return found or None
