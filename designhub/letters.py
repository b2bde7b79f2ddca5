"""What the hub's mails say, in their reader's language, and the links in them.

Addresses begin with the setting `public_url`, never with what a request said of its host: somebody
else's request would otherwise decide where a link leads.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from basis.settings import Settings
from designhub import links
from designhub.language import _, speaking
from designhub.models import AccountRow, Letter, LinkKind, LinkRow, MailRow

LASTS = {LinkKind.RESET: timedelta(hours=1), LinkKind.MAIL: timedelta(days=2)}
MOST_AN_HOUR = 3
"""Links to one address: nobody's box is filled by somebody who knows the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A mail as it goes out."""

    to: str
    subject: str
    body: str
    link_id: UUID | None = None


def write(session: Session, row: MailRow, settings: Settings, *, now: datetime) -> Text | None:
    """The text of a mail that is owed, its link made for it; None when there is nobody to send it
    to, or the address has had enough of them."""
    account = _account(session, row)
    if account is None:
        return None
    with speaking(row.language):
        if row.letter is Letter.CHANGED:
            return _changed(account, row.whom, settings)
        to = row.whom if row.letter is Letter.CONFIRM else account.mail
        if to is None or links.sent_since(session, to, now - timedelta(hours=1)) >= MOST_AN_HOUR:
            return None
        kind = LinkKind.MAIL if row.letter is Letter.CONFIRM else LinkKind.RESET
        links.take_back(session, account.id, kind, now=now)  # only the newest one works
        link, secret = links.make(
            session, kind, account_id=account.id, lasts=LASTS[kind], mail=to, now=now
        )
        written = _confirm if kind is LinkKind.MAIL else _reset
        return written(account, to, settings, link_id=link.id, secret=secret)


def unwrite(session: Session, text: Text) -> None:
    """The mail did not go out: its link was told to nobody."""
    session.execute(delete(LinkRow).where(LinkRow.id == text.link_id))


def address_of(settings: Settings) -> str:
    """The hub's own address, without a slash at its end."""
    return settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"


def link_to(settings: Settings, path: str, name: str, secret: str) -> str:
    """The address that a link's secret belongs in."""
    return f"{address_of(settings)}{path}?{urlencode({name: secret})}"


def _account(session: Session, row: MailRow) -> AccountRow | None:
    """Whom a mail is for: known since it was owed, or looked for by what somebody typed."""
    if row.letter is Letter.RESET:
        which = or_(AccountRow.name == row.whom, AccountRow.mail == row.whom)
    else:
        which = AccountRow.id == row.account_id
    return session.scalar(select(AccountRow).where(which, AccountRow.closed_at.is_(None)))


def _reset(account: AccountRow, to: str, settings: Settings, *, link_id: UUID, secret: str) -> Text:
    body = _(
        "Somebody, most likely you, asked for a new password for the account %(name)s on %(hub)s.\n"
        "\n"
        "Choose one here. The link works once, for one hour:\n"
        "%(link)s\n"
        "\n"
        "If it was not you, do nothing: your password stays as it is.\n",
        name=account.name,
        hub=address_of(settings),
        link=link_to(settings, "/reset", "link", secret),
    )
    return Text(to=to, subject=_("A new password for DesignHub"), body=body, link_id=link_id)


def _confirm(
    account: AccountRow, to: str, settings: Settings, *, link_id: UUID, secret: str
) -> Text:
    body = _(
        "The account %(name)s on %(hub)s wants to use this mail address.\n"
        "\n"
        "If it is yours, confirm it here. The link works once, for two days:\n"
        "%(link)s\n"
        "\n"
        "If you know nothing of it, do nothing: the address is not used.\n",
        name=account.name,
        hub=address_of(settings),
        link=link_to(settings, "/confirm", "link", secret),
    )
    return Text(to=to, subject=_("Confirm your address for DesignHub"), body=body, link_id=link_id)


def _changed(account: AccountRow, to: str, settings: Settings) -> Text:
    body = _(
        "The password of your account %(name)s on %(hub)s was changed just now.\n"
        "\n"
        "If it was you, there is nothing to do. If not, ask for a new one at once:\n"
        "%(link)s\n",
        name=account.name,
        hub=address_of(settings),
        link=f"{address_of(settings)}/reset",
    )
    return Text(to=to, subject=_("Your DesignHub password was changed"), body=body)
