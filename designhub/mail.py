"""Mail: owed as rows, written when it is sent, repeated when the server was away.

    mail_id = mail.owe(session, Letter.CONFIRM, whom=address, account=row, now=now)
    hub.queue.soon(worker.send_mail, mail_id)      # after the commit; the sweep asks again

A row names a letter and whom it is for; its text and the link in it are made for each try, so that
no secret is ever kept. Whoever asks for a reset leaves the same row whether there is such an
account or not: only the worker looks, so neither the answer nor its time tells.

MailFault
├── MailAway      the server was away, or said "not now": try again later
└── MailRefused   it will say the same again: such an address is not there
"""

import logging
import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from basis.errors import HubError, Invalid
from basis.settings import Settings
from designhub import letters, links
from designhub.hub import Hub
from designhub.language import spoken
from designhub.models import AccountRow, Letter, MailRow

ADDRESS = re.compile(r"[a-z0-9.!#$&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}")
MOST_ADDRESS = 254
WAITS_S = (60, 300, 1_200, 3_600, 7_200)
"""How long to wait after each try; after the last, a mail is given up."""

LIMIT_S = 20.0
"""For each word of the server."""

log = logging.getLogger(__name__)


class BadAddress(Invalid):
    """This cannot be the mail address of somebody."""


class MailFault(HubError):
    """A mail could not be sent."""

    code = "mail"


class MailAway(MailFault):
    """The mail server was away, or said "not now": the hub tries again."""

    code = "mail_away"


class MailRefused(MailFault):
    """The mail server said no for good: the hub gives this mail up."""

    code = "mail_refused"


def address(text: str) -> str:
    """A mail address in lower case. Raises BadAddress, for line breaks and commas too."""
    found = text.strip(" ").lower()
    if len(found) > MOST_ADDRESS or not ADDRESS.fullmatch(found):
        raise BadAddress(f"{text[:80]!r} is not a mail address such as ada@example.org")
    return found


def owe(
    session: Session, letter: Letter, *, whom: str, account: AccountRow | None, now: datetime
) -> int:
    """Note that a mail is to be sent; gives its id for the queue. The language is what its reader
    chose, else what they speak now."""
    row = MailRow(
        letter=letter,
        whom=whom,
        account_id=None if account is None else account.id,
        language=(account.language if account is not None else "") or spoken().code,
        made_at=now,
        due_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def due(session: Session, *, now: datetime) -> list[int]:
    """Mails to be tried now."""
    asked = select(MailRow.id).where(MailRow.due_at <= now).order_by(MailRow.id).limit(200)
    return list(session.scalars(asked))


def send(hub: Hub, mail_id: int, *, now: datetime) -> None:
    """Send one mail that is due. Another worker that was told the same finds it taken."""
    with hub.database.writing() as session:
        row = _taken(session, mail_id, now=now)
        if row is None:
            return
        text = letters.write(session, row, hub.settings, now=now)
        if text is None:
            session.delete(row)  # there is nobody to write to, or enough was written
            return
    try:
        post(hub.settings, to=text.to, subject=text.subject, body=text.body, now=now)
    except MailFault as exc:
        with hub.database.writing() as session:
            letters.unwrite(session, text)
            _failed(session, row, exc)
    else:
        with hub.database.writing() as session:
            session.execute(delete(MailRow).where(MailRow.id == mail_id))


def forget(session: Session, *, now: datetime) -> None:
    """Remove mails that were given up long ago."""
    session.execute(
        delete(MailRow).where(MailRow.due_at.is_(None), MailRow.made_at < now - links.KEPT)
    )


def post(settings: Settings, *, to: str, subject: str, body: str, now: datetime) -> None:
    """Hand one mail to the server; without one write it to the log.

    Raises MailAway, MailRefused.
    """
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))  # every server takes that
    message["From"] = settings.mail_from or f"designhub@{_host(settings)}"
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=_host(settings))
    message["Auto-Submitted"] = "auto-generated"  # no answers from machines (RFC 3834)
    message.set_content(body)
    if not settings.smtp_host:
        log.warning(
            "no mail server is set (DESIGNHUB_SMTP_HOST), so this mail stands only here, and"
            " whoever reads this log can follow its link. To %s: %s\n%s",
            *(to, subject, body),
        )
        return
    sender = parseaddr(str(message["From"]))[1]
    with _faults_named(settings), _server(settings) as server:
        server.send_message(message, from_addr=sender, to_addrs=[to])


def _taken(session: Session, mail_id: int, *, now: datetime) -> MailRow | None:
    """The row, set aside for this try: should the process die, it is due again later."""
    row = session.scalar(
        select(MailRow).where(MailRow.id == mail_id, MailRow.due_at <= now).with_for_update()
    )
    if row is not None:
        row.due_at = now + timedelta(seconds=WAITS_S[min(row.tries, len(WAITS_S) - 1)])
        row.tries += 1
    return row


def _failed(session: Session, row: MailRow, fault: MailFault) -> None:
    over = isinstance(fault, MailRefused) or row.tries >= len(WAITS_S)
    kept = session.get(MailRow, row.id)
    if kept is None:
        return
    kept.fault = str(fault)[:2_000]
    if over:
        kept.due_at = None
        log.error("mail %s (%s) is given up: %s", row.id, row.letter, fault)
    else:
        log.warning("mail %s (%s) waits for another try: %s", row.id, row.letter, fault)


@contextmanager
def _server(settings: Settings) -> Iterator[smtplib.SMTP]:
    """A conversation with the server, encrypted as the settings say, and signed in."""
    context = ssl.create_default_context()
    where = (settings.smtp_host, settings.smtp_port)
    server: smtplib.SMTP
    if settings.smtp_tls == "tls":
        server = smtplib.SMTP_SSL(*where, timeout=LIMIT_S, context=context)
    else:
        server = smtplib.SMTP(*where, timeout=LIMIT_S)
    with server:
        if settings.smtp_tls == "starttls":
            server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password)
        yield server


@contextmanager
def _faults_named(settings: Settings) -> Iterator[None]:
    """What the library raises, as what can be done about it. A refused password or sender is the
    operator's to mend, so it is tried again."""
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        yield
    except smtplib.SMTPRecipientsRefused as exc:
        code, why = next(iter(exc.recipients.values()))
        raise _fault_of(code)(f"{where} takes no mail for this address: {code} {why!r}") from exc
    except smtplib.SMTPDataError as exc:
        said = exc.smtp_error
        raise _fault_of(exc.smtp_code)(f"{where} refused: {exc.smtp_code} {said!r}") from exc
    except (smtplib.SMTPException, OSError) as exc:
        raise MailAway(f"{where}: {type(exc).__name__}: {exc}") from exc


def _fault_of(code: int) -> type[MailFault]:
    return MailRefused if code >= 500 else MailAway


def _host(settings: Settings) -> str:
    return urlsplit(settings.public_url).hostname or "localhost"
