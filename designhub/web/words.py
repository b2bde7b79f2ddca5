"""Quantities in words for people: money, grams, minutes, distances, sizes, moments.

Pure but for the language that is spoken, whose signs the figures have. Units are the SI's: the same
in all.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Protocol

from basis.errors import Invalid
from designhub.language import _, lazy, ngettext, spoken

NO_BREAK = "\u00a0"
"""Between a figure and its unit, so that no line ends there."""

EXPONENTS: Mapping[str, int] = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"), 0),
    **dict.fromkeys(("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
}
"""Digits after the point of currencies that do not have two (ISO 4217)."""

MONTHS = (
    *(lazy("Jan"), lazy("Feb"), lazy("Mar"), lazy("Apr"), lazy("May"), lazy("Jun")),
    *(lazy("Jul"), lazy("Aug"), lazy("Sep"), lazy("Oct"), lazy("Nov"), lazy("Dec")),
)

AMOUNT = re.compile(r"([0-9]{1,12})(?:[.,]([0-9]{1,6}))?")


def exponent(currency: str) -> int:
    """Digits after the point of a currency."""
    return EXPONENTS.get(currency, 2)


def money(amount_minor: int, currency: str) -> str:
    """Minor units as an amount: `12.34 EUR`, `500 JPY`; hours of work (`HOUR`) as time."""
    if currency == "HOUR":
        return duration(amount_minor)
    digits = exponent(currency)
    whole, rest = divmod(abs(amount_minor), 10**digits)
    fraction = f".{rest:0{digits}d}" if digits else ""
    return f"{_sign(amount_minor)}{_signs(f'{whole:,}{fraction}')}{NO_BREAK}{currency}"


def plain_amount(amount_minor: int, currency: str) -> str:
    """Minor units as they stand in a field of a form: `1234.50`."""
    digits = exponent(currency)
    whole, rest = divmod(amount_minor, 10**digits)
    return f"{whole}.{rest:0{digits}d}" if digits else str(whole)


def minor(text: str, currency: str, *, name: str) -> int:
    """An amount as a person types it, `24.90` or `24,90`, in minor units. Raises Invalid."""
    return _scaled(text, 0 if currency == "HOUR" else exponent(currency), name=name)


def milligrams(text: str, *, name: str) -> int:
    """Grams as a person types them, in milligrams. Raises Invalid."""
    return _scaled(text, 3, name=name)


def thousandths(text: str, *, name: str) -> int:
    """A length in mm as a person types it, `0.4`, in thousandths. Raises Invalid."""
    return _scaled(text, 3, name=name)


def hundredths(text: str, *, name: str) -> int:
    """A share in per cent as a person types it, `10` or `2.5`, in hundredths. Raises Invalid."""
    return _scaled(text.strip().removesuffix("%").strip(), 2, name=name)


def grams(mg: int) -> str:
    """Milligrams for people: `850 mg`, `12.4 g`, `1.25 kg`."""
    size = abs(mg)
    if size < 1_000:
        return f"{_short(mg, 0)}{NO_BREAK}mg"
    if size < 1_000_000:
        return f"{_short(mg / 1_000, 1)}{NO_BREAK}g"
    return f"{_short(mg / 1_000_000, 2)}{NO_BREAK}kg"


def duration(seconds: int) -> str:
    """Seconds for people, to the minute: `45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`."""
    size, sign = abs(seconds), _sign(seconds)
    if size < 60:
        return f"{sign}{size}{NO_BREAK}s"
    minutes = (size + 30) // 60
    if minutes < 60:
        return f"{sign}{minutes}{NO_BREAK}min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{sign}{hours}{NO_BREAK}h{NO_BREAK}{minutes:02d}{NO_BREAK}min"
    days, hours = divmod(hours, 24)
    return f"{sign}{days}{NO_BREAK}d{NO_BREAK}{hours}{NO_BREAK}h"


def distance(metres: int) -> str:
    """Metres for people: `850 m`, `3.4 km`, `1,240 km`."""
    if metres < 1_000:
        return f"{metres}{NO_BREAK}m"
    if metres < 100_000:
        return f"{_short(metres / 1_000, 1)}{NO_BREAK}km"
    return f"{_short(metres / 1_000, 0)}{NO_BREAK}km"


def about_distance(metres: int) -> str:
    """Metres to the next 5 km, so that they do not say where somebody lives: `about 15 km`."""
    steps = (metres + 2_500) // 5_000
    if steps == 0:
        return _("under %(distance)s", distance=f"5{NO_BREAK}km")
    return _("about %(distance)s", distance=f"{_short(steps * 5, 0)}{NO_BREAK}km")


def energy(mwh: int) -> str:
    """Thousandths of a watt-hour for people: `850 mWh`, `12.4 Wh`, `1.25 kWh`."""
    if abs(mwh) < 1_000:
        return f"{_short(mwh, 0)}{NO_BREAK}mWh"
    if abs(mwh) < 1_000_000:
        return f"{_short(mwh / 1_000, 1)}{NO_BREAK}Wh"
    return f"{_short(mwh / 1_000_000, 2)}{NO_BREAK}kWh"


def size(x_um: int, y_um: int, z_um: int) -> str:
    """Three lengths in millimetres: `86 × 53.2 × 17 mm`."""
    figures = (_short(um / 1_000, 2) for um in (x_um, y_um, z_um))
    return f"{NO_BREAK}×{NO_BREAK}".join(figures) + f"{NO_BREAK}mm"


def volume(mm3: float) -> str:
    """Cubic millimetres for people: `270 mm³`, `12.4 cm³`."""
    if abs(mm3) < 1_000:
        return f"{_short(mm3, 0)}{NO_BREAK}mm³"
    return f"{_signs(f'{mm3 / 1_000:,.1f}')}{NO_BREAK}cm³"


def area(mm2: float) -> str:
    """Square millimetres for people: `270 mm²`, `12.4 cm²`."""
    if abs(mm2) < 1_000:
        return f"{_short(mm2, 0)}{NO_BREAK}mm²"
    return f"{_signs(f'{mm2 / 100:,.1f}')}{NO_BREAK}cm²"


def bytes_of(size: int) -> str:
    """A size of a file for people: `850 bytes`, `12.4 kB`, `1.25 MB`."""
    if size < 1_000:
        return ngettext("%(n)s byte", "%(n)s bytes", size, n=_short(size, 0))
    if size < 1_000_000:
        return f"{_short(size / 1_000, 1)}{NO_BREAK}kB"
    return f"{_short(size / 1_000_000, 2)}{NO_BREAK}MB"


def number(figure: float, digits: int = 0) -> str:
    """A bare figure: `1,234`, `2.5`."""
    return _short(figure, digits)


def tenths(figure: float) -> str:
    """A figure of a column, always with one digit behind the point: `626.0`, `−0.5`."""
    return _signs(f"{figure:,.1f}").replace("-", "−")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 body`, `3 bodies`, `1,234 triangles`."""
    return f"{_short(number, 0)}{NO_BREAK}{one if number == 1 else many or one + 's'}"


def moment(at: datetime | None) -> str:
    """`2026-03-01 18:00 UTC`, the same in every language, or `never`. A page says it by `ui.when`,
    which a browser turns into the reader's own zone."""
    return _("never") if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day(at: date) -> str:
    """A day of this year: `3 Mar`."""
    return _("%(day)s %(month)s", day=at.day, month=MONTHS[at.month - 1])


def month(at: date) -> str:
    """`Mar 2026`."""
    return _("%(month)s %(year)s", month=MONTHS[at.month - 1], year=at.year)


def ago(at: datetime | None, now: datetime) -> str:
    """How long since: `just now`, `12 min ago`, `never`."""
    if at is None:
        return _("never")
    seconds = int((now - at).total_seconds())
    return _("just now") if seconds < 10 else _("%(time)s ago", time=duration(seconds))


def per_cent(ppm: int) -> str:
    """Millionths as whole per cent, rounded down: 100 only when it is all."""
    return f"{ppm // 10_000}{NO_BREAK}%"


def share(basis_points: int) -> str:
    """Hundredths of a per cent: `10 %`, `2.5 %`."""
    return f"{_short(basis_points / 100, 2)}{NO_BREAK}%"


def amount(figure: int, unit: str) -> str:
    """An amount in a unit of the book."""
    if unit == "mg":
        return grams(figure)
    if unit == "s":
        return duration(figure)
    if unit == "mWh":
        return energy(figure)
    if unit == "piece":
        return ngettext("%(n)s piece", "%(n)s pieces", figure, n=_short(figure, 0))
    if unit == "kg.m":
        return f"{_short(figure / 1_000, 2)}{NO_BREAK}kg·km"
    currency, _, _ = unit.partition("-")
    return money(figure, currency)


def _short(value: float, digits: int) -> str:
    """Rounded, with a comma at thousands and without zeros at the end."""
    text = f"{value:,.{digits}f}".replace("-", "−")
    return _signs(text.rstrip("0").rstrip(".") if "." in text else text)


def _signs(text: str) -> str:
    """A figure written the English way, with the signs of the spoken language."""
    speech = spoken()
    return text.translate({ord(","): speech.group, ord("."): speech.decimal})


def _sign(figure: int) -> str:
    return "−" if figure < 0 else ""


def _scaled(text: str, digits: int, *, name: str) -> int:
    said = AMOUNT.fullmatch(text.strip())
    if said is None:
        raise Invalid(f"{name}: {text[:40]!r} is not an amount such as 24.90")
    whole, rest = said[1], (said[2] or "").rstrip("0")
    if len(rest) > digits:
        raise Invalid(f"{name}: {text[:40]!r} has more than {digits} digits after the point")
    scale: int = 10**digits
    return int(whole) * scale + int(rest.ljust(digits, "0") or "0")


class Read(Protocol):
    """A run of the database, or of the API."""

    @property
    def state(self) -> str: ...
    @property
    def nozzle_c(self) -> int | None: ...
    @property
    def nozzle_target_c(self) -> int | None: ...
    @property
    def bed_c(self) -> int | None: ...
    @property
    def bed_target_c(self) -> int | None: ...
    @property
    def layer(self) -> int | None: ...
    @property
    def layers(self) -> int | None: ...
    @property
    def z_um(self) -> int | None: ...


def readings(run: Read) -> list[str]:
    """What its agent reads off the machine while it prints: layer, height and heat."""
    if run.state not in ("printing", "paused"):
        return []
    found = []
    if run.layer is not None:
        found.append(_("layer %(n)s of %(all)s", n=run.layer, all=run.layers))
    if run.z_um is not None:
        found.append(_("%(height)s mm high", height=number(run.z_um / 1000, 2)))
    if run.nozzle_c is not None:
        found.append(_("nozzle %(heat)s", heat=_heat(run.nozzle_c, run.nozzle_target_c)))
    if run.bed_c is not None:
        found.append(_("bed %(heat)s", heat=_heat(run.bed_c, run.bed_target_c)))
    return found


def _heat(actual_c: int, target_c: int | None) -> str:
    if not target_c:
        return _("%(now)s °C", now=actual_c)
    return _("%(now)s of %(wanted)s °C", now=actual_c, wanted=target_c)
