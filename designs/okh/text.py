"""Bytes of a manifest to values, whatever state they are in.

A file that does not parse is repaired by leaving out the lines that break it, and what a scan by
line still finds is added; the name and the licence of a design should survive a missing quote.
"""

import re
import tomllib
from dataclasses import dataclass, field

from designs.okh.model import Fault, Severity
from designs.okh.syntax import (
    MAX_BYTES,
    PARSERS,
    Parsed,
    Path,
    Plain,
    Unreadable,
    Value,
    json_members,
    key_text,
    tidy,
    toml_statements,
)

_TELLING = frozenset({"okhv", "name", "title", "license", "licence", "repo", "project-link"})
_LOOKS = {
    "toml": re.compile(rf"(?m)^(?:{'|'.join(sorted(_TELLING))})[ \t]*="),
    "yaml": re.compile(rf"(?m)^(?:{'|'.join(sorted(_TELLING))}):"),
    "json": re.compile(r"\A\s*\{"),
}
_NAME_AND_LICENCE = frozenset({"okhv", "name", "title", "license", "licence", "spdx-license"})
_SIMPLE = _NAME_AND_LICENCE | {
    *("repo", "version", "function", "licensor", "description", "project-link"),
}
_REPAIRABLE = frozenset({"syntax", "repeated_key", "alias"})  # the rest are limits
_TRIES = 5  # lines left out before giving up on repair


@dataclass(slots=True)
class Text:
    """A manifest's values with the faults of its text."""

    format: str  # "toml", "yaml" or "json"
    values: dict[str, Value] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    whole: bool = True  # False: parts of the file could not be read, so nothing is "missing"
    saved: set[str] = field(default_factory=set)  # keys from broken lines: one fault is enough

    def line(self, path: Path) -> int | None:
        """The line of a value, or of the nearest thing around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None


def load(data: bytes, *, filename: str) -> Text:
    """Read a manifest's bytes. Never raises; what cannot be read is told in `faults`."""
    suffix = filename.lower().rpartition(".")[2]
    result = Text({"yml": "yaml", "yaml": "yaml", "json": "json"}.get(suffix, "toml"))
    if len(data) > MAX_BYTES:
        _tell(
            result,
            "too_large",
            None,
            f"The manifest has {len(data)} bytes; a hub reads at most {MAX_BYTES}. "
            "Move long texts into files and name them here.",
        )
    text = _decode(data[:MAX_BYTES], result)
    if text.lstrip().startswith("{"):
        result.format = "json"
    if not re.sub(r"(?m)^[ \t]*(?:#.*|---|%.*)?$", "", text).strip():
        _tell(result, "empty", None, "The manifest is empty: give at least a name and a licence.")
        return result
    if result.faults and not result.whole:  # too large, or not text: no use in parsing it
        _save(text, result, keys=_SIMPLE)
        return result
    _parse(text, result)
    return result


def _tell(
    result: Text,
    code: str,
    line: int | None,
    text: str,
    *,
    severity: Severity = Severity.ERROR,
    fix: str | None = None,
) -> None:
    fault = Fault(code=code, key="", line=line, severity=severity, text=text, fix=fix)
    result.faults.append(fault)
    result.whole = result.whole and severity is not Severity.ERROR


def _decode(data: bytes, result: Text) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        _tell(result, "encoding", None, "The manifest is in UTF-16: save it as UTF-8.")
        return data.decode("utf-16", errors="replace")
    if data.startswith(b"\xef\xbb\xbf") and result.format == "toml":
        _tell(
            result,
            "byte_order_mark",
            1,
            "The file begins with an invisible byte order mark, which TOML does not allow: "
            "save it as UTF-8 without it.",
            severity=Severity.NOTE,
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(data) == MAX_BYTES and error.start > len(data) - 4:
            return data.decode("utf-8-sig", errors="ignore")  # we cut it there ourselves
        line = data.count(b"\n", 0, error.start) + 1
        _tell(
            result,
            "encoding",
            line,
            "The manifest is not UTF-8: save it as UTF-8.",
            severity=Severity.WARNING,
        )
        return data.decode("cp1252", errors="replace")


# --- parse, or repair, or scan --------------------------------------------------------------


def _parse(text: str, result: Text) -> None:
    try:
        _accept(PARSERS[result.format](text), result)
        return
    except Unreadable as unreadable:
        error = unreadable
    if _parse_as_another(text, result):
        return
    repaired = _repair(text, result.format, error) if error.code in _REPAIRABLE else None
    only_repeats = repaired is not None and all(e.code == "repeated_key" for e in repaired[1])
    told = repaired[1] if repaired is not None and only_repeats else [error]
    for each in told:
        if each.code == "repeated_key":
            _tell_repeated(result, _key_on(text, each.line), each.line)
        elif not any(fault.code == "encoding" for fault in result.faults):
            _tell(
                result,
                each.code,
                each.line,
                f"The file is not readable as {result.format.upper()}: {each.text}. "
                "What could be saved is shown.",
                fix=_quoted_line(text, result.format, each.line) if repaired else None,
            )
    if repaired is not None:
        _accept(repaired[0], result)
        if not only_repeats:
            # The value that stands where the file broke; in YAML it may have lost a line there.
            at = error.line or 0
            before = [path for path, line in result.lines.items() if line <= at][-1:]
            is_near = result.format == "yaml" or (before and result.lines[before[0]] == at)
            result.saved |= {str(path[0]) for path in before if is_near}
    if not only_repeats:
        result.whole = False
        _save(text, result, keys=_SIMPLE if repaired is None else _NAME_AND_LICENCE)


def _accept(parsed: Parsed, result: Text) -> None:
    for path, line in parsed.repeated:
        _tell_repeated(result, key_text(path), line)
    if parsed.more_documents:
        _tell(
            result,
            "several_documents",
            parsed.more_documents,
            "The file holds several documents; only the first is read.",
            severity=Severity.WARNING,
        )
    result.lines = parsed.lines
    if isinstance(parsed.values, dict):
        result.values = parsed.values
        if not parsed.values and result.whole:
            _tell(
                result, "empty", None, "The manifest is empty: give at least a name and a licence."
            )
        return
    kind = "a list" if isinstance(parsed.values, list) else "a single text"
    _tell(
        result,
        "not_a_mapping",
        1,
        f"The manifest is {kind}; it should be keys with values, such as `name: …`.",
    )


def _tell_repeated(result: Text, key: str, line: int | None) -> None:
    what = f"`{key}` is" if key else "A key or table is"
    result.faults.append(
        Fault(
            code="repeated_key",
            key=key,
            line=line,
            severity=Severity.ERROR,
            text=f"{what} given twice: the first is kept, remove one.",
        )
    )


def _key_on(text: str, line: int | None) -> str:
    """The key or table header that stands on a line of TOML."""
    return next((key_text(path) for at, path, _ in toml_statements(text) if at == line), "")


def _parse_as_another(text: str, result: Text) -> bool:
    """Some files carry the wrong ending; their content decides."""
    for name, looks_like_it in _LOOKS.items():
        if name == result.format or not looks_like_it.search(text):
            continue
        try:
            parsed = PARSERS[name](text)
        except Unreadable:
            continue
        if isinstance(parsed.values, dict) and _TELLING & parsed.values.keys():
            _tell(
                result,
                "wrong_ending",
                None,
                f"The content is {name.upper()}, though the file's name says "
                f"{result.format.upper()}: rename it.",
                severity=Severity.WARNING,
            )
            result.format = name
            _accept(parsed, result)
            return True
    return False


def _repair(
    text: str, format_name: str, error: Unreadable
) -> tuple[Parsed, list[Unreadable]] | None:
    """Mend or leave out the lines that break the file, a few at most; None when that fails."""
    if format_name == "json":
        return None  # often a single line: the scan finds more
    lines = text.split("\n")
    errors = []
    for _ in range(_TRIES):
        if error.line is None or error.line > len(lines) or not lines[error.line - 1].strip():
            return None
        errors.append(error)
        start = error.line - 1
        is_header = format_name == "toml" and lines[start].lstrip().startswith("[")
        if format_name == "yaml" and re.match(r" *\t", lines[start]):
            lines = [re.sub(r"^[ \t]+", _without_tabs, line) for line in lines]
        else:
            quoted = _quoted(lines[start], format_name)
            lines[start] = "" if quoted == lines[start] else quoted
        while is_header and start + 1 < len(lines):  # a table goes with all its keys
            start += 1
            if lines[start].lstrip().startswith("["):
                break
            lines[start] = ""
        try:
            parsed = PARSERS[format_name]("\n".join(lines))
        except Unreadable as again:
            error = again
            continue
        return (parsed, errors) if isinstance(parsed.values, dict) else None
    return None


def _quoted(line: str, format_name: str) -> str:
    """A line with the quotes its value lacks; "" when that is not what is wrong with it."""
    if format_name == "toml":
        return re.sub(
            r"^(\s*[\w-]+\s*=\s*)([^\s\"'\[\]{}#\\][^\"\[\]{}#\\]*?)\s*$", r'\1"\2"', line
        )
    found = re.match(r"(\s*(?:- +)*[\w$-]+:[ \t]+)([^\s'\"|>\[{&*!#].*?)\s*$", line)
    return found[1] + "'" + found[2].replace("'", "''") + "'" if found else ""


def _quoted_line(text: str, format_name: str, line: int | None) -> str | None:
    """The line as it should be, when all it lacks is quotes."""
    if line is None:
        return None
    broken = text.split("\n")[line - 1]
    quoted = _quoted(broken, format_name)
    return quoted.strip() if quoted not in ("", broken) else None


def _without_tabs(indent: re.Match[str]) -> str:
    return indent[0].replace("\t", "  ")


def _save(text: str, result: Text, *, keys: frozenset[str]) -> None:
    """Add what a scan by line finds under `keys` and the parser could not give."""
    for key, value in _scan(result.format, text).items():
        if key.lower() in keys and result.values.get(key) in (None, "", [], {}):
            result.values[key] = value
            result.saved.add(key)


def _scan(format_name: str, text: str) -> dict[str, Value]:
    """The simple values at the top of a file that does not parse."""
    scan = {"toml": _scan_toml, "yaml": _scan_yaml, "json": _scan_json}[format_name]
    found = scan(text)
    try:
        tidied: dict[str, Value] = tidy(found)
    except Unreadable:
        return {}
    return tidied


def _scan_toml(text: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for _, path, written in toml_statements(text):
        if written is None or len(written) > 2_000 or path[0] == "part":
            continue
        try:
            value = tomllib.loads(f"x = {written}")["x"]
        except (ValueError, RecursionError):
            bare = re.fullmatch(r"([A-Za-z][\w.+() -]*?)\s*(?:#.*)?", written)  # quotes forgotten
            if not bare:
                continue
            value = bare[1]
        if len(path) == 1:
            found.setdefault(str(path[0]), value)
        elif path[0] == "license" and len(path) == 2:
            inner = found.setdefault("license", {})
            if isinstance(inner, dict):
                inner.setdefault(str(path[1]), value)
    return found


def _scan_yaml(text: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    group: dict[str, Value] = {}
    for line in text.split("\n"):
        match = re.fullmatch(r"([ \t]*)([A-Za-z$][\w$-]*)[ \t]*:(?:[ \t]+(.*))?\r?", line)
        if not match:
            continue
        value = _yaml_scalar(match[3] or "")
        if match[1]:
            if value is not None:
                group.setdefault(match[2], value)
            continue
        group = {}
        if value is not None:
            found.setdefault(match[2], value)
        elif not (match[3] or "").strip() and match[2].lower() in ("license", "licence"):
            found.setdefault(match[2], group)
    return {key: value for key, value in found.items() if value != {}}


def _yaml_scalar(written: str) -> Value:
    quoted = re.fullmatch(r"""(?:"([^"\\]*)"|'([^']*)')\s*(?:#.*)?""", written.strip())
    if quoted:
        return quoted[1] if quoted[1] is not None else quoted[2]
    plain = re.sub(r"(?:^|\s)#.*", "", written).strip()
    return None if not plain or plain[0] in "|>[{&*!\"'" else Plain(plain)


def _scan_json(text: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for path, _, value in json_members(text):
        if value is None or not all(isinstance(step, str) for step in path):
            continue
        if len(path) == 1:
            found.setdefault(str(path[0]), value)
        elif len(path) == 2 and path[0] == "license":
            inner = found.setdefault("license", {})
            if isinstance(inner, dict):
                inner.setdefault(str(path[1]), value)
    return found
