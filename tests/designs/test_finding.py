"""Finding designs on both databases: words, licences, sizes, and nobody's private things."""

from typing import Any

import pytest
from sqlalchemy import update

from basis.db import Database
from designs import finding
from designs.catalogue import index_words
from designs.finding import Sort, Wish
from designs.models import DesignRow, VersionRow, Visibility
from tests.support import builders, solids


def made(database: Database, **designs: dict[str, Any]) -> dict[str, Any]:
    """Designs by name, of one owner, whose id is given back beside theirs."""
    with database.writing() as session:
        owner = builders.account(session)
        for name, said in designs.items():
            part = builders.part(session, owner, said.get("corners"))
            row = session.get_one(DesignRow, part.design_id)
            row.slug = row.title = name
            row.visibility = said.get("visibility", Visibility.PUBLIC)
            index_words(session, row, readme=said.get("readme", ""), names=())
            builders.ref(session, part)
            session.execute(
                update(VersionRow)
                .where(VersionRow.design_id == row.id)
                .values(licence=said.get("licence", ""))
            )
        return {"reader_id": owner}


def names(database: Database, reader_id: object = None, **wish: Any) -> list[str]:
    """The names of what is found."""
    with database.reading() as session:
        rows = finding.find(session, Wish(**wish), reader_id=reader_id)  # type: ignore[arg-type]
        return [row.slug for row in rows]


def test_the_best_match_has_the_word_in_its_name(database: Database) -> None:
    made(database, lamp={}, shelf={"readme": "room for a lamp"})
    assert names(database, words=["lamp"]) == ["lamp", "shelf"]
    assert names(database, words=["lamp"], sort=Sort.NEWEST) == ["shelf", "lamp"]
    assert names(database, sort=Sort.NAME) == ["lamp", "shelf"]
    with database.reading() as session:
        asked = ["lamp", "la", "zeppelin"]
        assert finding.words_nowhere(session, asked, reader_id=None) == ["zeppelin"]


def test_licences_of_public_designs_are_told_once_each(database: Database) -> None:
    hidden = {"visibility": Visibility.PRIVATE, "licence": "LicenseRef-secret"}
    owner = made(
        database,
        one={"licence": "MIT"},
        two={"licence": "MIT"},
        three={},
        four=hidden,
        five={"licence": "CC0-1.0"},
    )
    with database.reading() as session:
        assert finding.licences(session) == ["CC0-1.0", "MIT"]
        assert finding.public_designs(session) == 4
        assert len(finding.public_addresses(session, after=1, most=10)) == 3
    assert names(database, licence="MIT") == ["two", "one"]
    assert names(database, licence="LicenseRef-secret") == []
    assert names(database, licence="LicenseRef-secret", **owner) == ["four"]


@pytest.mark.parametrize(
    ("bed", "there"),
    [((150, 40, 20), True), ((40, 150, 20), True), ((150, 40, 19), False), ((149, 40, 20), False)],
)
def test_a_part_may_lie_turned_on_the_bed_but_not_stand(
    database: Database, bed: tuple[int, int, int], there: bool
) -> None:
    made(database, bar={"corners": solids.box(150, 40, 20)})
    bed_um = tuple(each * 1_000 for each in bed)
    assert (names(database, bed_um=bed_um) == ["bar"]) == there


def test_a_version_that_is_not_measured_fits_nowhere(database: Database) -> None:
    made(database, bar={})
    with database.writing() as session:
        session.connection().exec_driver_sql(
            "UPDATE mesh SET analysis = 'due', facts = NULL, stl_sha256 = NULL"
        )
    assert names(database, bed_um=(10**6, 10**6, 10**6)) == []
