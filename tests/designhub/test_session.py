"""Signing up, in and out; and that only our own forms change anything."""

import re
from pathlib import Path

import pytest
from sqlalchemy import select, update

from designhub import auth
from designhub.models import AccountRow
from designhub.web.session import own_path
from tests.support.hubs import PASSWORD, OpenHub, opened


def csrf_in(page: str) -> str:
    """The form token that a page carries."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_sign_up_by_the_form_as_a_browser_sends_it(hub: OpenHub) -> None:
    browser = hub.app.test_client()
    page = browser.get("/sign-up?next=/orders", headers={"Accept": "text/html"})
    fields = {"name": "ada", "password": PASSWORD, "next": "/orders", "csrf": csrf_in(page.text)}
    answer = browser.post("/sign-up", data=fields)
    assert (answer.status_code, answer.location) == (303, "/orders")
    home = browser.get("/", headers={"Accept": "text/html"}).text
    assert "<summary>ada</summary>" in home and "Sign out" in home
    assert browser.get("/orders").status_code == 200


def test_the_cookie_is_kept_from_scripts_and_foreign_forms(hub: OpenHub) -> None:
    hub.account("ada")
    client = hub.client()
    client.get("/sign-in")
    answer = client.form("/sign-in", name="ada", password=PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # this hub speaks plain HTTP


def test_the_cookie_is_for_https_alone_where_the_hub_has_it(tmp_path: Path) -> None:
    with opened(tmp_path, public_url="https://hub.example") as hub:
        answer = hub.client().get("/sign-in")
        assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("name", "password", "status", "said"),
    [
        ("book", PASSWORD, 422, "hub’s own addresses"),
        ("parts", PASSWORD, 422, "hub’s own addresses"),
        ("Ada Lovelace", PASSWORD, 422, "cannot be a name"),
        ("<script>", PASSWORD, 422, "&lt;script&gt;"),
        ("bob", "short", 422, "A password has 10"),
        ("taken", PASSWORD, 409, "is taken"),
    ],
)
def test_a_refused_sign_up_says_why_and_keeps_the_name(
    hub: OpenHub, name: str, password: str, status: int, said: str
) -> None:
    hub.account("taken")
    answer = hub.client().form("/sign-up", name=name, password=password)
    assert answer.status_code == status
    assert said in answer.text and password not in answer.text
    assert "<script>" not in answer.text


def test_no_name_hides_a_page(hub: OpenHub) -> None:
    """Every first word of our addresses is reserved, or could not be a name anyway."""
    firsts = {rule.rule.split("/")[1] for rule in hub.app.url_map.iter_rules()}
    plain = {first for first in firsts if first and not first.startswith("<")}
    free = {first for first in plain if auth.NAME.fullmatch(first)} - auth.RESERVED
    assert free == set()


def test_sign_up_is_closed_where_the_operator_closed_it(tmp_path: Path) -> None:
    with opened(tmp_path, registration="closed") as hub:
        client = hub.client()
        page = client.get("/sign-up").text
        assert "operator makes the accounts" in page and 'name="password"' not in page
        assert client.form("/sign-up", name="ada", password=PASSWORD).status_code == 403
        with hub.hub.database.reading() as session:
            assert session.scalar(select(AccountRow.id)) is None


def test_a_wrong_password_says_nothing_of_which_was_wrong(hub: OpenHub) -> None:
    hub.account("ada")
    answers = [
        hub.client().form("/sign-in", name=name, password="not the password")
        for name in ("ada", "nobody", "no name at all", "a\x00b")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert all("The name or the password is wrong" in answer.text for answer in answers)
    assert all("WWW-Authenticate" not in answer.headers for answer in answers)


def test_too_many_tries_have_to_wait_even_with_the_right_password(tmp_path: Path) -> None:
    with opened(tmp_path, sign_in_tries=2) as hub:
        hub.account("ada")
        client = hub.client()
        for _ in range(2):
            assert client.form("/sign-in", name="ada", password="wrong").status_code == 401
        answer = client.form("/sign-in", name="ada", password=PASSWORD)
        assert answer.status_code == 429 and "Wait 5 minutes" in answer.text


def test_another_password_ends_every_session(hub: OpenHub) -> None:
    account = hub.account("ada")
    client = hub.client("ada")
    assert client.get("/orders").status_code == 200
    with hub.hub.database.writing() as session:
        new = auth._hasher.hash("another good password")
        session.execute(
            update(AccountRow).where(AccountRow.id == account).values(password_hash=new)
        )
    assert client.get("/orders").status_code == 302
    assert "Sign in" in client.get("/").text
    assert client.form("/sign-in", name="ada", password=PASSWORD).status_code == 401
    assert client.form("/sign-in", name="ada", password="another good password").location == "/"


def test_signing_out_ends_the_session_and_needs_our_form(hub: OpenHub) -> None:
    hub.account("ada")
    client = hub.client("ada")
    assert client.get("/sign-out").status_code == 404  # only a form signs out
    assert client.flask.post("/sign-out").status_code == 403
    assert client.get("/orders").status_code == 200
    assert client.form("/sign-out").status_code == 303
    assert client.get("/orders").status_code == 302


def test_a_made_up_cookie_is_nobody(hub: OpenHub) -> None:
    hub.account("ada")
    client = hub.client("ada")
    cookie = client.flask.get_cookie("session")
    assert cookie is not None
    client.flask.set_cookie("session", cookie.value[:-4] + "AAAA")
    assert client.get("/orders").status_code == 302


def test_a_form_without_the_sessions_token_changes_nothing(hub: OpenHub) -> None:
    hub.account("ada")
    client = hub.client("ada")
    for token in (None, "", "wrong", "ä", "a" * 5_000):
        fields = {"quote": "x"} | ({} if token is None else {"csrf": token})
        answer = client.flask.post("/orders", data=fields, headers={"Accept": "text/html"})
        assert answer.status_code == 403
        assert "open the page again" in answer.text and "foreign_form" in answer.text


def test_the_token_of_another_session_does_not_count(hub: OpenHub) -> None:
    hub.account("ada")
    other, mine = hub.client(), hub.client("ada")
    token = csrf_in(other.get("/sign-in").text)
    assert mine.flask.post("/sign-out", data={"csrf": token}).status_code == 403


def test_signing_in_makes_a_new_token(hub: OpenHub) -> None:
    hub.account("ada")
    client = hub.client()
    before = csrf_in(client.get("/sign-in").text)
    client.flask.post("/sign-in", data={"csrf": before, "name": "ada", "password": PASSWORD})
    assert csrf_in(client.get("/").text) != before


def test_a_form_after_the_session_ended_leads_to_signing_in(hub: OpenHub) -> None:
    answer = hub.client().form("/orders", quote="x")
    assert answer.status_code == 401 and 'href="/sign-in"' in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/orders", "/ada/lamp?version=v1", "/make/3?place=Oslo%2C+NO"]
)
def test_own_paths_are_kept(path: str) -> None:
    assert own_path(path) == path


ELSEWHERE = (
    "",
    "orders",
    "//evil.example",
    "/\\evil.example",
    "/a\\b",
    "https://evil.example/",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/a\r\nSet-Cookie: x=1",
    " /orders",
    "/ä",
)


def test_other_addresses_lead_home(hub: OpenHub) -> None:
    hub.account("ada")
    for path in ELSEWHERE:
        assert own_path(path) == "/"
        client = hub.client()
        assert client.form("/sign-in", name="ada", password=PASSWORD, next=path).location == "/"
        assert client.get("/sign-in", query_string={"next": path}).location == "/"
