"""The page of a design: what it says of licence, parts and versions, and what it costs."""

import pytest

from designhub.web import design_words
from designs.facts import MeshFacts, Remark
from designs.models import Analysis, DesignRow, MeshRow, PartRow, RefRow, VersionRow
from tests.support import builders, solids
from tests.support.builders import NOW
from tests.support.hubs import OpenHub
from tests.support.statements import counted


def facts(side_mm: float) -> MeshFacts:
    return builders.facts(solids.box(side_mm, side_mm, side_mm))


@pytest.mark.parametrize(
    ("spdx", "words"),
    [
        ("CERN-OHL-S-2.0", "gives its sources under the same licence"),
        ("CC-BY-SA-4.0", "pass changed ones on under the same licence"),
        ("CC-BY-NC-SA-4.0", "Not for sale"),
        ("CC-BY-4.0", "Name who made it."),
        ("CC0-1.0", "public domain"),
        ("MIT", "notes on who made it"),
        ("LicenseRef-NONE", "ask its designer"),
        ("", "ask its designer"),
    ],
)
def test_a_licence_is_told_in_words(spdx: str, words: str) -> None:
    assert words in design_words.licence({"spdx": spdx}).meaning


def test_a_part_says_which_printers_it_fits() -> None:
    mesh = MeshRow(facts=facts(200).to_json(), analysis=Analysis.DONE)
    shown = design_words.part(PartRow(name="x", mesh=mesh))
    assert [bed.name for bed in shown.fitting] == ["Prusa i3 MK3S", "Creality Ender-3"]
    mesh.facts = facts(400).to_json()
    shown = design_words.part(PartRow(name="x", mesh=mesh))
    assert shown.fitting == () and "Too large for common printers" in shown.too_large


def test_every_known_warning_says_what_to_do() -> None:
    for code in design_words.WARNINGS:
        assert design_words.warning(Remark(code=code, text="raw"), facts(20)) != "raw"
    assert design_words.warning(Remark(code="other", text="raw"), facts(20)) == "raw"


def test_pages_of_a_large_design_cost_few_statements(hub: OpenHub) -> None:
    """Fifty parts, two hundred versions, each a release."""
    shop = hub.shop()
    with hub.hub.database.writing() as session:
        first = session.get_one(PartRow, shop.part.part_id)
        for number in range(200):
            version = VersionRow(
                design_id=shop.part.design_id,
                commit=f"{number:040x}",
                committed_at=NOW,
                pushed_at=NOW,
                analysis=Analysis.DONE,
                manifest={"faults": [], "licence": {}},
            )
            session.add(version)
            session.flush()
            session.add(
                RefRow(
                    design_id=shop.part.design_id,
                    ref=f"refs/tags/v{number}",
                    version_id=version.id,
                    updated_at=NOW,
                )
            )
            session.add_all(
                PartRow(
                    version_id=version.id,
                    position=place,
                    slug=f"part{place}",
                    name=f"Part {place}",
                    path=f"{place}.stl",
                    mesh_id=first.mesh_id,
                )
                for place in range(50)
            )
    with hub.hub.database.reading() as session:
        slug = session.get_one(DesignRow, shop.part.design_id).slug
    client = hub.client("owner")
    for path in ("", "?version=v7", "/versions", "/settings", "/upload"):
        with counted(hub.hub.database) as statements:
            answer = client.get(f"/owner/{slug}{path}")
        assert answer.status_code == 200, path
        assert len(statements) <= 12, (path, statements)
    page = client.get(f"/owner/{slug}").text
    assert page.count('href="/make/') >= 50 and "v199" in page
    with counted(hub.hub.database) as statements:
        assert "measured" in client.get("/me/designs").text
    assert len(statements) <= 12
