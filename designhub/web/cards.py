"""Designs as cards: what a list shows of each, in a fixed number of statements."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from designhub import access
from designs import queries
from designs.models import DesignRow, Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One design in a list."""

    title: str
    href: str
    by: str
    picture: str | None
    text: str
    private: bool


def cards(session: Session, rows: Sequence[DesignRow]) -> list[Card]:
    """The cards of some designs, in their order."""
    if not rows:
        return []
    names = access.names_of(session, {row.owner_id for row in rows})
    pictures = queries.pictures(session, [row.id for row in rows])
    return [
        Card(
            title=row.title,
            href=f"/{names[row.owner_id]}/{row.slug}",
            by=names[row.owner_id],
            picture=f"/parts/{pictures[row.id]}.png" if row.id in pictures else None,
            text=row.description,
            private=row.visibility is Visibility.PRIVATE,
        )
        for row in rows
    ]
