"""Checks of texts: each returns the cleaned value, or None after telling one fault.

A check forgives what can be understood (a list where one value is expected, a table where a text
is) and tells it once.
"""

import re
from datetime import date

from designs.okh.model import Generation, Json
from designs.okh.reading import Check, Reading, short, written
from designs.okh.syntax import Path, Plain, Value, key_text


def text(reading: Reading, path: Path, value: Value) -> str | None:
    """One text. Of a list the first is taken, of a table its text or name, each with a fault."""
    if isinstance(value, str):
        return value.strip()
    reading.wrong_type(path, "a text", value)
    return _inner_text(value)


def _inner_text(value: Value) -> str | None:
    if isinstance(value, list):
        return next(filter(None, (_inner_text(each) for each in value[:10])), None)
    if isinstance(value, dict):
        words = (value.get(key) for key in ("text", "name", "title", "value", "path", "url"))
        return next(
            (word.strip() for word in words if isinstance(word, str) and word.strip()), None
        )
    if isinstance(value, (str, int, float)):
        return written(value).strip() or None
    return None


def texts(reading: Reading, path: Path, value: Value) -> list[str] | None:
    """A text or a list of texts."""
    return each_of(reading, path, value, text)


def each_of(reading: Reading, path: Path, value: Value, check: Check) -> list[Json] | None:
    """One value or a list of them; always a list afterwards, None when nothing was left."""
    if not isinstance(value, list):
        found = check(reading, path, value)
        return None if found is None else [found]
    cleaned = [reading.check((*path, i), each, check) for i, each in enumerate(value)]
    return [each for each in cleaned if each is not None] or None


def version(reading: Reading, path: Path, value: Value) -> str | None:
    """A version is a text; a number is taken as written where the generation allows one."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if reading.generation not in (Generation.LOSH, Generation.V1):
            reading.fault(
                "version_is_number",
                path,
                f"`{key_text(path)}` is a number, so 1.10 and 1.1 are the same: put it in quotes.",
                fix=f'"{written(value)}"',
            )
        return written(value)
    return text(reading, path, value)


_LANGUAGE = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?|x(?:-[a-z0-9]{1,8})+)",
    re.IGNORECASE,
)
_LANGUAGES = {
    word: tag
    for tag, words in {
        "en": "english englisch anglais inglés ingles",
        "de": "german deutsch allemand",
        "fr": "french français francais französisch",
        "es": "spanish español espanol castellano",
        "pt": "portuguese português portugues",
        "it": "italian italiano",
        "nl": "dutch nederlands",
        "pl": "polish polski",
        "ru": "russian русский",
        "zh": "chinese 中文",
        "ja": "japanese 日本語",
        "ko": "korean 한국어",
        "ar": "arabic العربية",
        "hi": "hindi",
        "sv": "swedish svenska",
        "da": "danish dansk",
        "fi": "finnish suomi",
        "cs": "czech čeština",
        "tr": "turkish türkçe",
        "uk": "ukrainian",
    }.items()
    for word in words.split()
}


def language(reading: Reading, path: Path, value: Value) -> str | None:
    """A BCP 47 tag such as "en" or "pt-BR". https://www.rfc-editor.org/info/bcp47"""
    found = text(reading, path, value)
    if found is None or _LANGUAGE.fullmatch(found):
        return found
    tag = _LANGUAGES.get(re.split(r"[ ,(]", found.lower())[0])
    underscored = found.replace("_", "-")
    if tag is None and _LANGUAGE.fullmatch(underscored):
        tag = underscored
    reading.fault(
        "language",
        path,
        f"“{short(found)}” is not a language tag such as `en` or `de-AT`.",
        fix=tag,
    )
    return tag


def languages(reading: Reading, path: Path, value: Value) -> list[str] | None:
    """A language tag or a list of them."""
    return each_of(reading, path, value, language)


def truth(reading: Reading, path: Path, value: Value) -> bool | None:
    """True or false, in YAML's many words too."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    meant = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    found = meant.get(word) if isinstance(value, str) else None
    if not isinstance(value, Plain) or found is None:
        fix = None if found is None else ("true" if found else "false")
        reading.wrong_type(path, "true or false", value, fix=fix)
    return found


def day(reading: Reading, path: Path, value: Value) -> str | None:
    """A date as YYYY-MM-DD."""
    found = text(reading, path, value)
    if found is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", found):
            return date.fromisoformat(found).isoformat()
    except ValueError:  # such as 2024-02-30
        pass
    reading.fault("date", path, f"“{short(found)}” is not a date such as 2024-05-31.")
    return None


def pattern(code: str, shape_of_it: re.Pattern[str], what: str) -> Check:
    """A text, or a list of texts, of a given shape; others are told and kept."""

    def one(reading: Reading, path: Path, value: Value) -> str | None:
        found = text(reading, path, value)
        if found is not None and not shape_of_it.fullmatch(found):
            upper = found.upper()
            reading.fault(
                code,
                path,
                f"“{short(found)}” is not {what}.",
                fix=upper if shape_of_it.fullmatch(upper) else None,
            )
        return found

    return lambda reading, path, value: each_of(reading, path, value, one)


def level(prefix: str, allowed: str) -> Check:
    """A readiness level such as OTRL-4; `allowed` lists what may follow the dash."""

    def check(reading: Reading, path: Path, value: Value) -> str | None:
        found = written(value) if isinstance(value, int) else text(reading, path, value)
        if found is None:
            return None
        if re.fullmatch(f"{prefix}-(?:{allowed})", found):
            return found
        digits = re.search(r"\d\*?", found)
        meant = f"{prefix}-{digits[0]}" if digits and re.fullmatch(allowed, digits[0]) else None
        low, high = allowed[0], allowed[-1]
        reading.fault(
            "level",
            path,
            f"“{short(found)}” is not a level from {prefix}-{low} to {prefix}-{high}.",
            fix=meant,
        )
        return meant

    return check
