"""Accounts from the invitation to the end: links that work once, passwords, profile, notices."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import select, update

from basis import clock
from basis.errors import HubError
from designhub import accounts, links
from designhub.models import AccountRow, LinkKind, LinkRow, MailRow, TokenRow
from designhub.web import notices
from tests.support.hubs import PASSWORD, OpenHub, opened
from tests.support.statements import counted

NEW = "another good password"


@pytest.fixture
def invited(tmp_path: Path) -> Iterator[OpenHub]:
    """A hub for invited people."""
    with opened(tmp_path, registration="invitation") as hub:
        yield hub


def invitation(hub: OpenHub) -> str:
    with hub.hub.database.writing() as session:
        return accounts.invite(
            session, hub.hub.settings, by=None, note="", days=7, now=clock.now()
        )[1]


def reset_link(hub: OpenHub, name: str) -> str:
    with hub.hub.database.writing() as session:
        account = session.scalars(select(AccountRow.id).where(AccountRow.name == name)).one()
        return links.make(
            session,
            LinkKind.RESET,
            account_id=account,
            lasts=timedelta(hours=1),
            now=clock.now(),
        )[1]


def test_an_invitation_makes_one_account(invited: OpenHub) -> None:
    secret = invitation(invited)
    client = invited.client()
    assert 'name="password"' not in client.get("/sign-up").text
    assert 'name="password"' in client.get(f"/sign-up?invitation={secret}").text
    wrong = client.form("/sign-up", name="book", password=PASSWORD, invitation=secret)
    assert wrong.status_code == 422  # and the invitation is not used up by a mistake
    made = client.form("/sign-up", name="ada", password=PASSWORD, invitation=secret)
    assert made.status_code == 303
    again = invited.client().form("/sign-up", name="bob", password=PASSWORD, invitation=secret)
    assert again.status_code == 403
    body = {"name": "eve", "password": PASSWORD, "invitation": secret}
    assert invited.app.test_client().post("/api/v1/accounts", json=body).status_code == 403
    with invited.hub.database.reading() as session:
        assert secret not in str(session.scalars(select(LinkRow.digest)).all())


def test_of_two_who_follow_one_link_one_wins(invited: OpenHub) -> None:
    secret, start, made = invitation(invited), Barrier(2), []

    def join(name: str) -> None:
        start.wait()
        try:
            with invited.hub.database.writing() as session:
                accounts.sign_up(
                    session,
                    invited.hub.settings,
                    name=name,
                    password=PASSWORD,
                    invitation=secret,
                    now=clock.now(),
                )
            made.append(name)
        except HubError:
            pass

    threads = [Thread(target=join, args=(name,)) for name in ("ada", "bob")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(made) == 1


def test_a_reset_works_once_and_ends_every_session(hub: OpenHub) -> None:
    hub.account("ada")
    old, secret = hub.client("ada"), reset_link(hub, "ada")
    client = hub.client()
    said = {"link": secret, "password": NEW, "again": NEW}
    assert client.form("/reset/password", {**said, "again": "x"}).status_code == 422
    assert client.form("/reset/password", said).location == "/sign-in?said=reset"
    assert client.form("/reset/password", said).status_code == 404
    assert old.get("/me").status_code == 302
    assert hub.client().form("/sign-in", name="ada", password=NEW).status_code == 303


def test_a_link_ends_and_is_of_one_kind(hub: OpenHub) -> None:
    hub.account("ada")
    secret = reset_link(hub, "ada")
    assert hub.client().form("/confirm", link=secret).status_code == 404
    with hub.hub.database.writing() as session:
        session.execute(update(LinkRow).values(expires_at=clock.now()))
    assert hub.client().get(f"/reset?link={secret}").status_code == 404
    said = {"link": secret, "password": NEW, "again": NEW}
    assert hub.client().form("/reset/password", said).status_code == 404


def test_asking_for_a_reset_tells_nothing(hub: OpenHub) -> None:
    hub.account("ada")

    def answer(whom: str) -> str:
        text = hub.client().form("/reset", whom=whom).text
        return re.sub(r'name="csrf" value="[^"]+"', "", text)

    assert answer("ada") == answer("nobody") == answer("nobody@example.org")
    for evil in ("a@b\r\nBcc: x@y", "a@b,c@d", "Ada <a@b>", "a b@c"):
        assert hub.client().form("/reset", whom=evil).status_code == 422
    with hub.hub.database.reading() as session:
        assert len(session.scalars(select(MailRow.id)).all()) == 3


def test_a_changed_password_keeps_this_session_alone(hub: OpenHub) -> None:
    hub.account("ada")
    here, there = hub.client("ada"), hub.client("ada")
    assert here.form("/me/password", old="no", new=NEW, again=NEW).status_code == 422
    assert here.form("/me/password", old=PASSWORD, new=NEW, again=NEW).status_code == 303
    assert here.get("/me").status_code == 200 and there.get("/me").status_code == 302


def test_signing_out_everywhere(hub: OpenHub) -> None:
    hub.account("ada")
    here, there = hub.client("ada"), hub.client("ada")
    assert here.form("/me/sign-out-everywhere").status_code == 303
    assert here.get("/me").status_code == there.get("/me").status_code == 302


def test_a_token_is_shown_once_and_revoked(hub: OpenHub) -> None:
    hub.account("ada")
    client = hub.client("ada")
    made = client.form("/me/tokens", name="laptop", scopes="push", days="30")
    found = re.search(r"dht_[\w-]+", made.text)
    assert found is not None and made.headers["Cache-Control"] == "no-store"
    page = client.get("/me/tokens").text
    assert found[0] not in page and "laptop" in page
    with hub.hub.database.reading() as session:
        token = session.scalars(select(TokenRow)).one()
    assert token.scopes == "push read" and token.expires_at is not None
    hub.account("eve")
    assert hub.client("eve").form(f"/me/tokens/{token.id}/revoke").status_code == 404
    client.form(f"/me/tokens/{token.id}/revoke")
    header = {"Authorization": f"Bearer {found[0]}"}
    assert hub.app.test_client().get("/api/v1/me", headers=header).status_code == 401


def test_what_people_say_of_themselves_is_plain_text(hub: OpenHub) -> None:
    hub.account("ada")
    client = hub.client("ada")
    evil = "<script>x</script>\u202e"
    assert client.form("/me", display=evil, about=evil, language="de").status_code == 303
    page = hub.client().get("/ada").text
    assert "<script>x" not in page and "&lt;script&gt;" in page and "\u202e" not in page


def test_closing_waits_for_open_work_and_ends_everything(hub: OpenHub) -> None:
    shop = hub.shop()
    job = hub.ordered(shop)[0]
    maker, owner = hub.client("maker"), hub.client("owner")
    assert maker.form("/me/close", password=PASSWORD).status_code == 409
    assert owner.form("/me/close", password=PASSWORD).status_code == 409
    maker.form(f"/jobs/{job}/cancel")
    assert maker.form("/me/close", password="wrong").status_code == 422
    assert maker.form("/me/close", password=PASSWORD).location == "/sign-in?said=closed"
    assert hub.client().form("/sign-in", name="maker", password=PASSWORD).status_code == 401
    assert "account is closed" in hub.client().get("/maker").text


def test_notices_tell_each_side_its_own_and_are_marked_read(hub: OpenHub) -> None:
    shop = hub.shop()
    for _ in range(12):
        hub.ordered(shop)
    hub.account("stranger")
    notices._counts.clear()
    maker, owner = hub.client("maker"), hub.client("owner")
    with counted(hub.hub.database) as statements:
        page = maker.get("/me/notices").text
    assert len(statements) <= 12
    assert "waits for its printer" in page and "unread notices" in page
    assert "A job is ready" in owner.get("/me/notices").text
    assert "No notices yet" in hub.client("stranger").get("/me/notices").text
    newest = re.search(r'name="newest" value="(\d+)"', page)
    assert newest is not None
    maker.form("/me/notices/read", newest=newest[1])
    assert "unread notices" not in maker.get("/me/notices").text
    with counted(hub.hub.database) as statements:
        notices._counts.clear()
        hub.client().get("/sign-in")
    assert not statements
