"""What maker and workshop write to each other about a job: lines of its history, kept like all."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from basis.errors import Invalid, TooMany
from router.history import account
from router.models import HappeningRow, JobRow

MESSAGE = "message"
"""What such a line is called in the history."""

MOST_CHARS = 2_000
MOST_AN_HOUR = 20
"""Messages of one person about one job."""


def write(session: Session, *, job_id: UUID, by: UUID, text: str, now: datetime) -> None:
    """Say something about a job; the caller checked that the speaker is part of it.

    Raises Invalid for no text or a long one, TooMany for more than `MOST_AN_HOUR`.
    """
    said = _plain(text)
    if not 1 <= len(said) <= MOST_CHARS:
        raise Invalid(f"a message has 1 to {MOST_CHARS:,} characters, this one has {len(said):,}")
    job, who = session.get_one(JobRow, job_id), account(by)
    lately = select(func.count()).where(
        HappeningRow.job_id == job_id,
        HappeningRow.what == MESSAGE,
        HappeningRow.actor == who,
        HappeningRow.at > now - timedelta(hours=1),
    )
    if (session.scalar(lately) or 0) >= MOST_AN_HOUR:
        raise TooMany(f"{MOST_AN_HOUR} messages an hour about one job are enough", again_s=600)
    session.add(
        HappeningRow(
            at=now,
            job_id=job_id,
            actor=who,
            what=MESSAGE,
            before=job.state.value,
            after=job.state.value,
            note=said,
        )
    )


def _plain(text: str) -> str:
    """Lines of text without signs that no reader sees."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("".join(filter(str.isprintable, line)).rstrip() for line in lines).strip()
