"""Licences, facts and warnings of a design in words. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from designhub.language import gettext as _
from designhub.language import lazy, ngettext
from designhub.web import words
from designs.facts import MeshFacts, Remark, fits
from designs.licences import ALL_RIGHTS_RESERVED, NO_ASSERTION, NONE
from designs.models import PartRow, RefRow
from printers.capability import COMMON, Choices, Profile, margin_um
from router import estimate

USUAL = Choices(material="PLA")
"""What a part is told for that nobody has ordered: PLA, filled to a fifth."""
BEDS: tuple[Profile, ...] = tuple(
    profile for key, profile in COMMON.items() if key not in ("virtual",)
)

TERMS = (
    (r".*-NC(-.*)?", lazy("Not for sale: others may make it for themselves only.")),
    (r".*-ND(-.*)?", lazy("Nobody may pass on a changed one.")),
    (
        r"CERN-OHL-S-.*|CERN-OHL-1\..*|TAPR-OHL-.*",
        lazy(
            "Everybody may make, change and sell it. Who passes on a changed one gives its sources"
            " under the same licence."
        ),
    ),
    (
        r"CERN-OHL-W-.*|LGPL-.*|MPL-.*",
        lazy(
            "Everybody may make, change and sell it. Changes to it are given under the same"
            " licence; what it is built into need not be."
        ),
    ),
    (
        r"CC-BY-SA-[0-9.]+|A?GPL-.*",
        lazy(
            "Everybody may make, change and sell it. Name who made it, and pass changed ones on"
            " under the same licence."
        ),
    ),
    (
        r"CERN-OHL-P-.*|Apache-.*|MIT|BSD-.*|ISC|Zlib|SHL-.*",
        lazy("Everybody may make, change and sell it. The notes on who made it stay with it."),
    ),
    (r"CC-BY-[0-9.]+", lazy("Everybody may make, change and sell it. Name who made it.")),
    (
        r"CC0-.*|Unlicense|0BSD|MIT-0",
        lazy("Everybody may do with it what they like; it is in the public domain."),
    ),
    (
        f"{NONE}|{NO_ASSERTION}|{ALL_RIGHTS_RESERVED}",
        lazy("Nobody was told what they may do with it: ask its designer first."),
    ),
)

CHOICES = (
    ("CERN-OHL-S-2.0", lazy("Share alike (CERN-OHL-S): changed ones stay open")),
    ("CERN-OHL-W-2.0", lazy("Share alike, weaker (CERN-OHL-W): changes to it stay open")),
    ("CERN-OHL-P-2.0", lazy("Permissive (CERN-OHL-P): keep the notes on who made it")),
    ("CC-BY-SA-4.0", lazy("Creative Commons, share alike (CC BY-SA)")),
    ("CC-BY-4.0", lazy("Creative Commons, name me (CC BY)")),
    ("CC0-1.0", lazy("No conditions, public domain (CC0)")),
    ("MIT", lazy("MIT")),
    ("", lazy("None yet: others must ask you")),
)
"""Licences to choose from when a design is made; any other stands in its manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLicence:
    """A licence for people: what it is called, whether it is open, what it means."""

    name: str
    openness: str
    meaning: str
    guessed: bool


def licence(said: Mapping[str, Any]) -> ShownLicence:
    """The licence part of a stored manifest in words."""
    spdx = said.get("spdx") or ""
    name = spdx or said.get("raw") or ""
    meaning = next((str(text) for shape, text in TERMS if re.fullmatch(shape, spdx)), "")
    if not name:
        meaning = _("Nobody was told what they may do with it: ask its designer first.")
    return ShownLicence(
        name="" if spdx in (NONE, NO_ASSERTION) else name,
        openness=str(said.get("openness") or ""),
        meaning=meaning or str(said.get("why") or ""),
        guessed=bool(said.get("guessed")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPart:
    """A part with its facts read, if there are any, and what they mean."""

    row: PartRow
    facts: MeshFacts | None
    mass_mg: int = 0
    fitting: tuple[Profile, ...] = ()
    too_large: str = ""
    warnings: tuple[tuple[str, bool], ...] = ()
    """Each with whether nothing need be done about it."""

    @property
    def ready(self) -> bool:
        """Whether it can be ordered."""
        return self.facts is not None


def part(row: PartRow) -> ShownPart:
    """A part as its page shows it."""
    if row.mesh.facts is None:
        return ShownPart(row=row, facts=None)
    facts = MeshFacts.from_json(row.mesh.facts)
    fitting = tuple(bed for bed in BEDS if _over(facts, bed) is None)
    return ShownPart(
        row=row,
        facts=facts,
        mass_mg=estimate.mass_mg(facts, profile=BEDS[0], choices=USUAL),
        fitting=fitting,
        too_large="" if fitting else _too_large(facts),
        warnings=tuple((warning(each, facts), each.code in HARMLESS) for each in facts.warnings),
    )


def _over(facts: MeshFacts, bed: Profile) -> tuple[int, int, int] | None:
    """By how much a part is too large for a printer, in µm each way; None when it fits."""
    fit = fits(
        (facts.size_x_um, facts.size_y_um, facts.size_z_um),
        (bed.bed_x_mm * 1_000, bed.bed_y_mm * 1_000, bed.height_mm * 1_000),
        margin_um=margin_um(bed, USUAL),
    )
    return None if fit.turn_deg is not None else (fit.over_x_um, fit.over_y_um, fit.over_z_um)


def _too_large(facts: MeshFacts) -> str:
    """For the common printer that lacks least."""
    lacking = {bed.name: over for bed in BEDS if (over := _over(facts, bed)) is not None}
    name = min(lacking, key=lambda each: sum(lacking[each]))
    by = "\u00a0× ".join(words.number(um / 1_000, 1) for um in lacking[name])
    return _(
        "Too large for common printers: over the room of a %(printer)s by %(over)s mm. Split it,"
        " or look for a workshop with a larger one.",
        printer=name,
        over=by,
    )


WARNINGS: Mapping[str, Callable[[MeshFacts], str]] = {
    "open_edges": lambda facts: ngettext(
        "The surface has a hole (%(n)s open edge): its volume is a guess, and a slicer may leave"
        " something out. Close it in the source and push again.",
        "The surface has holes (%(n)s open edges): its volume is a guess, and a slicer may leave"
        " something out. Close them in the source and push again.",
        facts.open_edges,
        n=words.number(facts.open_edges),
    ),
    "non_manifold_edges": lambda facts: ngettext(
        "At %(n)s edge more than two faces meet: bodies touch there, or a wall lies inside. Join"
        " or separate them in the source.",
        "At %(n)s edges more than two faces meet: bodies touch there, or a wall lies inside. Join"
        " or separate them in the source.",
        facts.non_manifold_edges,
        n=words.number(facts.non_manifold_edges),
    ),
    "winding": lambda _facts: _(
        "Neighbouring faces disagree which side is outside: let your program recompute the"
        " normals, and export again."
    ),
    "inverted": lambda _facts: _(
        "The whole surface is turned inside out. We turned it for measuring and making; nothing"
        " need be done."
    ),
    "flat": lambda _facts: _(
        "It has no thickness along one axis, so it is no solid: give it thickness in the source."
    ),
    "hollows": lambda _facts: _(
        "Some bodies are turned inside out: inside another they are made as hollows. If they are"
        " not meant so, turn them in the source."
    ),
    "several_bodies": lambda facts: ngettext(
        "It holds %(n)s body.",
        "It holds %(n)s bodies that do not touch: they are made together as one part.",
        facts.bodies,
        n=words.number(facts.bodies),
    ),
    "degenerate": lambda facts: ngettext(
        "%(n)s face has no area; it counts for nothing and does no harm.",
        "%(n)s faces have no area; they count for nothing and do no harm.",
        facts.degenerate,
        n=words.number(facts.degenerate),
    ),
    "unit_doubtful": lambda facts: _(
        "Its largest side is %(size)s mm. The file names no unit and was read as millimetres: if"
        " it was drawn in another, export it in millimetres.",
        size=words.number(max(facts.size_x_um, facts.size_y_um, facts.size_z_um) / 1_000, 3),
    ),
}


HARMLESS = frozenset({"several_bodies", "inverted", "degenerate"})


def warning(remark: Remark, facts: MeshFacts) -> str:
    """What is odd about a mesh, and what to do; of a kind not known here as it was written."""
    said = WARNINGS.get(remark.code)
    return said(facts) if said else remark.text


def ref_name(row: RefRow) -> str:
    """A tag or branch as people say it."""
    return row.ref.removeprefix("refs/tags/").removeprefix("refs/heads/")


def is_release(row: RefRow) -> bool:
    """Whether it is a tag, which never moves."""
    return row.ref.startswith("refs/tags/")
