"""Mail as a real server takes, delays and refuses it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_string
from pathlib import Path

import pytest
from sqlalchemy import select, update

from basis import clock
from designhub import mail
from designhub.models import AccountRow, Letter, LinkRow, MailRow
from tests.support.hubs import PASSWORD, OpenHub, opened
from tests.support.smtp_sink import Sink, smtp_sink

NEW = "another good password"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with smtp_sink() as made:
        yield made


@pytest.fixture
def posting(tmp_path: Path, sink: Sink) -> Iterator[OpenHub]:
    """A hub with a mail server, where ada has a confirmed address."""
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_tls": "none"}
    with opened(tmp_path, public_url="https://hub.example", **smtp) as hub:
        hub.account("ada")
        with hub.hub.database.writing() as session:
            session.execute(update(AccountRow).values(mail="ada@example.org"))
        yield hub


def owed(hub: OpenHub, whom: str) -> int:
    with hub.hub.database.writing() as session:
        return mail.owe(session, Letter.RESET, whom=whom, account=None, now=clock.now())


def rows(hub: OpenHub) -> list[MailRow]:
    with hub.hub.database.reading() as session:
        return list(session.scalars(select(MailRow)))


def test_a_forgotten_password_is_replaced_by_mail(posting: OpenHub, sink: Sink) -> None:
    mail.send(posting.hub, owed(posting, "ada@example.org"), now=clock.now())
    message = message_from_string(sink.mails[0])
    assert message["To"] == "ada@example.org" and message["From"] == "designhub@hub.example"
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    found = re.search(r"https://hub\.example/reset\?link=(\S+)", body.decode())
    assert found is not None and rows(posting) == []
    said = {"link": found[1], "password": NEW, "again": NEW}
    assert posting.client().form("/reset/password", said).status_code == 303
    [changed] = rows(posting)
    assert changed.letter is Letter.CHANGED


def test_nobody_is_written_to_who_is_not_there(posting: OpenHub, sink: Sink) -> None:
    mail.send(posting.hub, owed(posting, "nobody"), now=clock.now())
    assert sink.mails == [] and rows(posting) == []


def test_not_now_is_tried_again_and_no_is_given_up(posting: OpenHub, sink: Sink) -> None:
    sink.to_recipient, mail_id, now = "451 later", owed(posting, "ada"), clock.now()
    mail.send(posting.hub, mail_id, now=now)
    [row] = rows(posting)
    assert row.tries == 1 and row.due_at == now + timedelta(seconds=60)
    mail.send(posting.hub, mail_id, now=now)  # told twice: it is not due yet
    assert rows(posting)[0].tries == 1
    sink.to_recipient = "550 nobody"
    mail.send(posting.hub, mail_id, now=now + timedelta(minutes=2))
    [row] = rows(posting)
    assert row.due_at is None and "550" in row.fault
    with posting.hub.database.reading() as session:
        assert session.scalars(select(LinkRow.id)).all() == []


def test_a_server_that_is_away_is_tried_so_often(tmp_path: Path) -> None:
    with opened(tmp_path, smtp_host="127.0.0.1", smtp_port=1, smtp_tls="none") as hub:
        hub.account("ada")
        with hub.hub.database.writing() as session:
            session.execute(update(AccountRow).values(mail="ada@example.org"))
        mail_id, now = owed(hub, "ada"), clock.now()
        for _ in mail.WAITS_S:
            mail.send(hub.hub, mail_id, now=now)
            now += timedelta(hours=3)
        assert rows(hub)[0].due_at is None


def test_without_a_server_it_stands_in_the_log(
    hub: OpenHub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.account("ada")
    client = hub.client("ada")
    asked = client.form("/me/mail", mail="Ada@Example.org", password=PASSWORD)
    assert asked.status_code == 303
    mail.send(hub.hub, rows(hub)[0].id, now=clock.now())
    found = re.search(r"/confirm\?link=(\S+)", caplog.text)
    assert found is not None and "no mail server is set" in caplog.text
    assert hub.client().form("/confirm", link=found[1]).status_code == 200
    assert "ada@example.org" in client.get("/me").text
    assert hub.client().form("/confirm", link=found[1]).status_code == 404
