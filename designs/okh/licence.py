"""The licence of a manifest: where it stands, what was meant, and whether it is open."""

from collections.abc import Mapping

from designs.licences import Openness, canonical, guess, openness, suggest
from designs.okh.model import Generation, Licence, Severity
from designs.okh.reading import Reading, is_empty, short
from designs.okh.syntax import Path, Value
from designs.okh.tables import LICENCE_KEYS, near

_SCOPES = ("hardware", "documentation", "software")


def read_licence(
    reading: Reading, known: Mapping[str, tuple[str, Value]], licence_text: str | None
) -> Licence:
    """The licence from `license`, else a deprecated key, else a guess from the LICENSE file.

    known : field to (key as written, value).
    """
    deprecated = [known[key] for key in LICENCE_KEYS if key in known]
    if "license" in known:
        key, value = known["license"]
        if isinstance(value, dict) and value:
            return _from_table(reading, (key,), value, licence_text)
        if reading.generation is Generation.V1 and isinstance(value, str) and not is_empty(value):
            reading.wrong_type((key,), "a table with hardware, documentation and software", value)
        found = _words(reading, (key,), value)
    elif deprecated:
        key, value = deprecated[0]
        found = _words(reading, (key,), value)
        if found is not None:
            reading.fault(
                "deprecated_key",
                (key,),
                f"`{key}` is out of use: write `license`.",
                severity=Severity.NOTE,
                fix="license",
            )
    else:
        return _guessed(reading, licence_text, told=not reading.text.whole)
    if found is None:
        return _guessed(reading, licence_text, told=True)
    spdx = _understood(reading, (key,), found)
    return _judged(reading, (key,), Licence(raw=found, spdx=spdx, hardware=spdx or found))


def _guessed(reading: Reading, licence_text: str | None, *, told: bool) -> Licence:
    """Nothing in the manifest: what the LICENSE file holds, marked as a guess."""
    name = guess(licence_text)
    if not told:
        hint = f"; the LICENSE file looks like {name}" if name else ""
        reading.fault(
            "missing",
            ("license",),
            f"The manifest lacks `license`, so nobody may use the design{hint}.",
            severity=Severity.ERROR,
            fix=name,
        )
    if name is None:
        if licence_text and licence_text.strip():
            return Licence(
                openness=Openness.UNKNOWN,
                why="There is a LICENSE file, but we cannot tell which licence it holds.",
            )
        verdict = openness(None)
        return Licence(openness=verdict.openness, why=verdict.why)
    verdict = openness(name)
    return Licence(
        raw=name,
        spdx=name,
        hardware=name,
        guessed=True,
        openness=verdict.openness,
        why=f"Guessed from the LICENSE file. {verdict.why}",
    )


def _words(reading: Reading, path: Path, value: Value) -> str | None:
    """A licence as text; a list of them means all of them at once."""
    if isinstance(value, list) and not is_empty(value):
        names = [each.strip() for each in value if isinstance(each, str) and each.strip()]
        if not names:
            reading.wrong_type(path, "one SPDX expression", value)
            return None
        joined = " AND ".join(names)
        meant = canonical(joined)
        reading.wrong_type(path, "one SPDX expression", value, fix=meant)
        return joined if meant else ", ".join(names)
    if not isinstance(value, str) and not is_empty(value):
        reading.wrong_type(path, "an SPDX expression", value)
        return None
    found = reading.check(path, value, lambda _reading, _path, inner: inner.strip())
    return str(found) if found is not None else None


def _understood(reading: Reading, path: Path, words: str) -> str | None:
    """The SPDX form, or None with a fault that says what was probably meant."""
    spdx = canonical(words)
    if spdx is None and not _already_told(reading, path):
        meant = suggest(words)
        question = f" Did you mean {meant}?" if meant else " See https://spdx.org/licenses."
        reading.fault(
            "licence_unclear",
            path,
            f"“{short(words)}” is not an SPDX licence, so nobody can rely on it.{question}",
            fix=meant,
        )
    return spdx


def _already_told(reading: Reading, path: Path) -> bool:
    """A list of licences was told as such; that its words are unclear follows from it."""
    return (
        any(
            fault.code == "wrong_type" and fault.key == path[0] and len(path) == 1
            for fault in reading.faults
        )
        and reading.generation is not Generation.V1
    )


def _from_table(
    reading: Reading, path: Path, table: Mapping[str, Value], licence_text: str | None
) -> Licence:
    """Version 1.0's three licences, or the table somebody wrote where one expression belongs."""
    if reading.generation is not Generation.V1:
        reading.wrong_type(path, "one SPDX expression", table)
    said: dict[str, str] = {}
    spdx: dict[str, str | None] = {}
    for key, value in table.items():
        scope = key if key in _SCOPES else near(key, dict.fromkeys(_SCOPES))
        if scope is None or scope in said:
            reading.fault(
                "unknown_key", (*path, key), f"`{short(key)}` is none of {', '.join(_SCOPES)}."
            )
            continue
        if scope != key:
            reading.fault(
                "misspelt_key", (*path, key), f"`{short(key)}` is read as `{scope}`.", fix=scope
            )
        words = _words(reading, (*path, key), value)
        if words is not None:
            said[scope] = words
            spdx[scope] = _understood(reading, (*path, key), words)
    if not said:
        return _guessed(reading, licence_text, told=True)
    covers = next(scope for scope in _SCOPES if scope in said)
    licence = Licence(
        raw=said[covers],
        spdx=spdx[covers],
        hardware=_best("hardware", spdx, said),
        documentation=_best("documentation", spdx, said),
        software=_best("software", spdx, said),
    )
    if covers == "hardware":
        return _judged(reading, (*path, covers), licence)
    if "hardware" not in table:
        reading.fault(
            "licence_not_for_hardware",
            path,
            f"Only the {' and '.join(said)} has a licence; the hardware itself has none.",
        )
    return Licence(
        raw=licence.raw,
        spdx=licence.spdx,
        documentation=licence.documentation,
        software=licence.software,
        openness=Openness.UNKNOWN,
        why=f"The licence covers the {' and '.join(said)} only, not the hardware.",
    )


def _best(scope: str, spdx: Mapping[str, str | None], said: Mapping[str, str]) -> str | None:
    return spdx.get(scope) or said.get(scope)


def _judged(reading: Reading, path: Path, licence: Licence) -> Licence:
    """The licence with its verdict; one that is not open is told, once."""
    verdict = openness(licence.spdx or licence.raw)
    own_words = (licence.spdx or "").startswith("LicenseRef-")  # closed, and says so on purpose
    if verdict.openness is Openness.NOT_OPEN and not own_words:
        reading.fault("licence_not_open", path, verdict.why, severity=Severity.NOTE)
    return Licence(
        raw=licence.raw,
        spdx=licence.spdx,
        hardware=licence.hardware,
        documentation=licence.documentation,
        software=licence.software,
        openness=verdict.openness,
        why=verdict.why,
    )
