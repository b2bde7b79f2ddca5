"""The API as a whole: described, valid, strict about bodies, and closed to whoever may not."""

import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from basis import clock
from designhub.api.agents import LOOK_EVERY_S
from designhub.auth import Scope
from printers.models import Bed, PrinterRow
from router.waiting import NOT_CLEAR
from tests.support.hubs import PASSWORD, OpenHub
from tests.support.statements import counted

NONE = "00000000-0000-4000-8000-000000000000"
AGENT = "agent"

ROUTES: dict[tuple[str, str], Scope | str | None] = {
    # what an account's token must be allowed; None: anybody may
    ("GET", "/api/v1/book/balances"): None,
    ("GET", "/api/v1/book/entries"): None,
    ("GET", "/api/v1/book/head"): None,
    ("GET", "/api/v1/designs"): None,
    ("GET", "/api/v1/designs/{owner}/{name}"): None,
    ("GET", "/api/v1/designs/{owner}/{name}/versions"): None,
    ("GET", "/api/v1/designs/{owner}/{name}/versions/{version}"): None,
    ("GET", "/api/v1/printers/{printer_id}"): None,
    ("GET", "/api/v1/machines"): None,
    ("GET", "/api/v1/machines/presets"): None,
    ("GET", "/api/v1/keys"): None,
    ("GET", "/api/v1/workshops"): None,
    ("GET", "/api/v1/workshops/{name}"): None,
    ("POST", "/api/v1/accounts"): None,
    ("POST", "/api/v1/agents/enrol"): None,
    ("GET", "/api/v1/me"): Scope.READ,
    ("GET", "/api/v1/orders"): Scope.READ,
    ("GET", "/api/v1/orders/{order_id}"): Scope.READ,
    ("GET", "/api/v1/jobs/{job_id}"): Scope.READ,
    ("GET", "/api/v1/runs/{run_id}/provenance"): Scope.READ,
    ("GET", "/api/v1/tokens"): Scope.READ,
    ("POST", "/api/v1/tokens"): Scope.READ,
    ("DELETE", "/api/v1/tokens/{token_id}"): Scope.READ,
    ("POST", "/api/v1/jobs/{job_id}/received"): Scope.READ,  # and order or operate, by the role
    ("POST", "/api/v1/jobs/{job_id}/cancel"): Scope.READ,
    ("POST", "/api/v1/designs"): Scope.PUSH,
    ("PATCH", "/api/v1/designs/{owner}/{name}"): Scope.PUSH,
    ("DELETE", "/api/v1/designs/{owner}/{name}"): Scope.PUSH,
    ("POST", "/api/v1/designs/{owner}/{name}/restore"): Scope.PUSH,
    ("POST", "/api/v1/orders"): Scope.ORDER,
    ("POST", "/api/v1/jobs/{job_id}/passed"): Scope.OPERATE,
    ("POST", "/api/v1/jobs/{job_id}/failed"): Scope.OPERATE,
    ("POST", "/api/v1/jobs/{job_id}/retry"): Scope.OPERATE,
    ("POST", "/api/v1/jobs/{job_id}/agree"): Scope.OPERATE,
    ("POST", "/api/v1/workshops"): Scope.OPERATE,
    ("POST", "/api/v1/workshops/{name}/printers"): Scope.OPERATE,
    ("POST", "/api/v1/workshops/{name}/agents"): Scope.OPERATE,
    ("POST", "/api/v1/machines/profile"): Scope.OPERATE,
    ("PATCH", "/api/v1/printers/{printer_id}"): Scope.OPERATE,
    ("POST", "/api/v1/printers/{printer_id}/quiet"): Scope.OPERATE,
    ("DELETE", "/api/v1/printers/{printer_id}/quiet"): Scope.OPERATE,
    ("GET", "/api/v1/printers/{printer_id}/upkeep"): Scope.OPERATE,
    ("POST", "/api/v1/printers/{printer_id}/upkeep"): Scope.OPERATE,
    ("POST", "/api/v1/workshops/{name}/quiet"): Scope.OPERATE,
    ("POST", "/api/v1/printers/{printer_id}/spools"): Scope.OPERATE,
    ("POST", "/api/v1/printers/{printer_id}/bed/clear"): Scope.OPERATE,
    ("POST", "/api/v1/agents/me/hello"): AGENT,
    ("POST", "/api/v1/agents/me/ask"): AGENT,
    ("POST", "/api/v1/agents/me/board"): AGENT,
    ("POST", "/api/v1/agents/me/looked"): AGENT,
    ("POST", "/api/v1/agents/me/bed-clear"): AGENT,
    ("GET", "/api/v1/runs/{run_id}/gcode"): AGENT,
    ("POST", "/api/v1/runs/{run_id}/permit"): AGENT,
    ("POST", "/api/v1/runs/{run_id}/beat"): AGENT,
    ("POST", "/api/v1/runs/{run_id}/report"): AGENT,
    ("POST", "/api/v1/runs/{run_id}/photo"): AGENT,
    ("GET", "/api/v1/jobs/{job_id}/runs/{run_id}/photo"): Scope.READ,
}
QUOTES = ("POST", "/api/v1/quotes")
"""Anybody may ask; a token that says who asks must be allowed to order."""


def operations(hub: OpenHub) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, description) of every documented operation."""
    document = hub.app.test_client().get("/api/v1/openapi.json").get_json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def filled(path: str) -> str:
    """An address of things that do not exist."""
    for name in ("owner", "name", "version"):
        path = path.replace(f"{{{name}}}", "nothing")
    while "{" in path:
        path = path[: path.index("{")] + NONE + path[path.index("}") + 1 :]
    return path


def problem(answer: TestResponse, status: int, title: str) -> None:
    """The answer is a problem of this kind, in the shape that every failure has."""
    assert answer.content_type == "application/problem+json", answer.text
    said = answer.get_json()
    assert (answer.status_code, said["status"], said["title"]) == (status, status, title), said
    assert said["type"] == f"/docs/errors#{title}" and said["detail"]


def test_the_description_is_valid_openapi(hub: OpenHub) -> None:
    document = hub.app.test_client().get("/api/v1/openapi.json").get_json()
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_route_is_described_and_stands_in_the_table(hub: OpenHub) -> None:
    described = {(method, path) for method, path, _ in operations(hub)}
    served = set()
    for rule in hub.app.url_map.iter_rules():
        if rule.rule.startswith("/api/") and rule.endpoint != "openapi":
            path = "/".join(
                "{" + part.split(":")[-1].strip("<>") + "}" if part.startswith("<") else part
                for part in rule.rule.split("/")
            )
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            served |= {(method, path) for method in methods}
    assert served == described == ROUTES.keys() | {QUOTES}
    for _, path, operation in operations(hub):
        assert operation["summary"] and operation["description"], path


def test_who_may_call_what(hub: OpenHub) -> None:
    shop = hub.shop()
    account = hub.account("ada")
    tokens = {scope: hub.token(account, scope) for scope in Scope}
    agent = hub.agent_token(shop.agent)
    client = hub.app.test_client()

    def status(method: str, path: str, header: dict[str, str]) -> int:
        body: dict[str, Any] | None = {} if method in ("POST", "PATCH") else None
        return client.open(filled(path), method=method, json=body, headers=header).status_code

    for (method, path), needed in ROUTES.items():
        where = f"{method} {path}"
        nobody, wrong = (
            status(method, path, {}),
            status(method, path, {"Authorization": "Bearer x"}),
        )
        assert (nobody == 401) == (needed is not None), where
        if path != "/api/v1/accounts":
            assert wrong == 401 or needed is None, where
        for scope, header in tokens.items():
            found = status(method, path, header)
            if needed == AGENT:
                assert found == 401, where
            elif needed in (None, Scope.READ, scope):
                assert found not in (401, 403), (where, scope, found)
            else:
                assert found == 403, (where, scope, found)
        as_agent = status(method, path, agent)
        if needed == AGENT:
            assert as_agent not in (401, 403), (where, as_agent)
        else:
            assert as_agent == 401 or needed is None, (where, as_agent)


def test_asking_for_quotes_needs_no_account_but_no_wrong_token_either(hub: OpenHub) -> None:
    account = hub.account("ada")
    client, ask = hub.app.test_client(), {"design": "a/b", "place": "Oslo"}
    headers = {
        404: [{}, hub.token(account, Scope.ORDER)],
        403: [hub.token(account, Scope.PUSH), hub.token(account, Scope.READ)],
        401: [{"Authorization": "Bearer dht_unknown"}, {"Authorization": "Digest x"}],
    }
    for wanted, each in headers.items():
        for header in each:
            answer = client.post("/api/v1/quotes", json=ask, headers=header)
            assert answer.status_code == wanted


def test_a_token_makes_none_that_may_more(hub: OpenHub) -> None:
    account = hub.account("ada")
    client, pushes = hub.app.test_client(), hub.token(account, Scope.PUSH)
    for scopes, status in ((["push"], 201), (["order"], 403), (["all"], 422)):
        body = {"name": "ci", "scopes": scopes}
        assert client.post("/api/v1/tokens", json=body, headers=pushes).status_code == status
    made = client.post("/api/v1/tokens", json={"name": "ci", "scopes": []}, headers=pushes)
    token = made.get_json()
    header = {"Authorization": f"Bearer {token['token']}"}
    assert client.get("/api/v1/me", headers=header).get_json()["scopes"] == ["read"]
    assert "token" not in client.get("/api/v1/tokens", headers=header).text.replace(
        '"tokens"', ""
    ).replace('"token":null', "")
    assert client.delete(f"/api/v1/tokens/{token['id']}", headers=pushes).status_code == 204
    assert client.get("/api/v1/me", headers=header).status_code == 401


def test_no_cookie_speaks_to_the_api(hub: OpenHub) -> None:
    hub.account("ada")
    client = hub.client("ada").flask
    problem(client.get("/api/v1/me"), 401, "not_signed_in")


def test_errors_are_problems(hub: OpenHub) -> None:
    shop = hub.shop()
    maker, owner = hub.token(shop.maker, *Scope), hub.token(shop.owner, *Scope)
    client = hub.app.test_client()
    workshop = client.get("/api/v1/workshops").get_json()["workshops"][0]["name"]
    ask = {"design": "owner", "place": "Oslo"}
    problem(client.post("/api/v1/quotes", json=ask), 422, "invalid")
    problem(client.get("/api/v1/me"), 401, "not_signed_in")
    problem(client.get("/api/v1/workshops/none"), 404, "not_found")
    problem(client.get("/api/v1/none"), 404, "not_found")
    problem(client.put("/api/v1/me"), 405, "method_not_allowed")
    body = {"name": "p", "common": "mk3s"}
    foreign = client.post(f"/api/v1/workshops/{workshop}/printers", json=body, headers=maker)
    problem(foreign, 403, "not_yours")
    taken = {"name": "box"}
    assert client.post("/api/v1/designs", json=taken, headers=owner).status_code == 201
    problem(client.post("/api/v1/designs", json=taken, headers=owner), 409, "conflict")
    job = hub.ordered(shop)[0]
    early = client.post(f"/api/v1/jobs/{job}/passed", headers=owner)
    problem(early, 409, "not_allowed")
    large = client.post("/api/v1/quotes", data=b"x" * (5 << 20), content_type="application/json")
    assert large.status_code in (413, 422)
    assert "WWW-Authenticate" in client.get("/api/v1/me").headers


def test_ordering_twice_with_one_key_orders_once(hub: OpenHub) -> None:
    shop = hub.shop()
    maker, client = hub.token(shop.maker, Scope.ORDER), hub.app.test_client()
    slug = client.get("/api/v1/designs").get_json()["designs"][0]["name"]
    ask = {"design": f"owner/{slug}", "place": "Oslo", "version": shop.part.commit}
    quotes = client.post("/api/v1/quotes", json=ask, headers=maker).get_json()["quotes"]
    body = {"quote": quotes[0]["id"], "key": "once"}
    first = client.post("/api/v1/orders", json=body, headers=maker)
    again = client.post("/api/v1/orders", json=body, headers=maker)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    assert len(client.get("/api/v1/orders", headers=maker).get_json()["orders"]) == 1
    other = body | {"quote": quotes[1]["id"]}
    problem(client.post("/api/v1/orders", json=other, headers=maker), 409, "conflict")
    stranger = hub.token(hub.account("stranger"), Scope.ORDER)
    problem(client.post("/api/v1/orders", json=body, headers=stranger), 404, "not_found")


def test_a_workshop_says_how_parts_leave_it(hub: OpenHub) -> None:
    header, client = hub.token(hub.account("ada"), Scope.OPERATE), hub.app.test_client()
    ways = [{"mode": "foot", "most_km": 3}, {"mode": "parcel", "base_minor": 490}]
    body: dict[str, Any] = {"name": "adas", "place": "Oslo", "carriage": ways}
    made = client.post("/api/v1/workshops", json=body, headers=header)
    assert made.status_code == 201, made.text
    assert [way["mode"] for way in made.get_json()["carriage"]] == ["foot", "parcel"]
    for wrong in (["foot"], [{"mode": "rocket"}], [{"mode": "foot", "most_km": "3"}], [None]):
        answer = client.post(
            "/api/v1/workshops", json=body | {"name": "b", "carriage": wrong}, headers=header
        )
        problem(answer, 422, "invalid")


BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/accounts"): {"name": "bob", "password": PASSWORD},
    ("POST", "/api/v1/tokens"): {"name": "ci", "scopes": ["push"], "days": 3},
    ("POST", "/api/v1/designs"): {
        "name": "x",
        "title": "X",
        "description": "",
        "visibility": "public",
    },
    ("PATCH", "/api/v1/designs/owner/{slug}"): {
        "title": "X",
        "description": "y",
        "visibility": "public",
    },
    ("POST", "/api/v1/quotes"): {
        "design": "owner/{slug}",
        "place": "Oslo",
        "version": "{commit}",
        "part": "part",
        "copies": 1,
        "parts": [],
        "material": "PLA",
        "colour": "black",
        "layer_height_um": 200,
        "infill_pct": 20,
        "perimeters": 2,
        "supports": False,
        "brim_mm": 0,
        "preset": "balanced",
        "modes": ["foot"],
        "deadline": "2036-03-01T18:00Z",
        "max_distance_m": 100_000,
        "max_total_minor": 100_000,
    },
    ("POST", "/api/v1/orders"): {"quote": NONE, "key": "k"},
    ("POST", "/api/v1/jobs/{job}/failed"): {
        "cause": "bent",
        "job_at_fault": True,
        "printer_at_fault": False,
        "again": True,
    },
    ("POST", "/api/v1/workshops"): {
        "name": "w",
        "title": "W",
        "place": "Oslo",
        "currency": "EUR",
        "per_hour_minor": 1,
        "labour_minor": 1,
        "contribution_bp": 1,
        "carriage": [{"mode": "foot", "base_minor": 1, "per_km_minor": 1, "most_km": 1}],
    },
    ("POST", "/api/v1/workshops/{workshop}/printers"): {"name": "p", "common": "mk3s"},
    ("POST", "/api/v1/workshops/{workshop}/agents"): {"name": "a", "printers": ["p"]},
    ("PATCH", "/api/v1/printers/{printer}"): {"duty": "open", "because": "why"},
    ("POST", "/api/v1/printers/{printer}/quiet"): {"days": {"fri": "22–7"}, "must_be_over": True},
    ("POST", "/api/v1/workshops/{workshop}/quiet"): {"days": {}, "must_be_over": False},
    ("POST", "/api/v1/printers/{printer}/upkeep"): {
        "task": "oiled",
        "note": "a drop",
        "again_hours": 200,
        "again_on": "2099-01-31",
    },
    ("POST", "/api/v1/machines/profile"): {
        "vendor": "Creality",
        "printer": "Creality Ender-3 (0.4 mm nozzle)",
        "print_profile": "",
        "filaments": [],
        "name": "",
    },
    ("POST", "/api/v1/printers/{printer}/spools"): {
        "material": "PLA",
        "colour": "red",
        "left_mg": 1_000_000,
        "price_per_kg_minor": 2_500,
        "slot": 1,
    },
}
AGENT_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/agents/me/hello"): {"protocol": 1, "program": "test"},
    ("POST", "/api/v1/agents/me/ask"): {
        "printers": [{"printer": "{printer}", "ready": True, "text": "Operational"}],
        "wait_s": 0,
    },
    ("POST", "/api/v1/runs/{run}/beat"): {
        "fence": 1,
        "printing": False,
        "paused": False,
        "progress_ppm": 1,
        "seconds_left": 1,
        "text": "x",
        "nozzle_c": 214,
        "nozzle_target_c": 215,
        "bed_c": 60,
        "bed_target_c": 60,
        "layer": 1,
        "layers": 2,
        "z_um": 200,
    },
    ("POST", "/api/v1/runs/{run}/permit"): {"fence": 1, "sha256": "0" * 64},
    ("POST", "/api/v1/runs/{run}/report"): {
        "fence": 1,
        "event": "started",
        "print_s": 1,
        "progress_ppm": 1,
        "evidence": "x",
    },
}
NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    (1 << 63) - 1,
    1 << 70,
    1e308,
    "",
    "x" * 5_000,
    "\x00",
    "\ud800",
    "0001-01-01T00:00:00+14:00",
    "nan,inf",
    [[]],
    ["\x00"],
    {"mode": []},
)
RAW = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b'{"name": NaN}',
    b'{"name": 1e999}',
    b'{"name": ' + b"9" * 10_000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"\xff\xfe",
    b'{"unknown": 1}',
)


@pytest.fixture
def busy(hub: OpenHub) -> tuple[OpenHub, dict[str, str], dict[str, dict[str, str]]]:
    """A hub with a leased run; what addresses hold; headers by who may."""
    shop = hub.shop()
    job = hub.ordered(shop)[0]
    agent = hub.agent_token(shop.agent)
    client = hub.app.test_client()
    state = {"printer": str(shop.printer), "ready": True, "text": "Operational"}
    work = client.post("/api/v1/agents/me/ask", json={"printers": [state]}, headers=agent)
    names = {
        "printer": str(shop.printer),
        "job": str(job),
        "run": work.get_json()["work"][0]["run"],
        "workshop": client.get("/api/v1/workshops").get_json()["workshops"][0]["name"],
        "slug": client.get("/api/v1/designs").get_json()["designs"][0]["name"],
        "commit": shop.part.commit,
    }
    return hub, names, {"account": hub.token(shop.owner, *Scope), "agent": agent}


def named(value: Any, names: dict[str, str]) -> Any:
    """A body or address with its names filled in."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, dict):
        return {key: named(each, names) for key, each in value.items()}
    return [named(each, names) for each in value] if isinstance(value, list) else value


def test_no_body_makes_the_hub_fail(
    busy: tuple[OpenHub, dict[str, str], dict[str, dict[str, str]]],
) -> None:
    hub, names, headers = busy
    client, tried = hub.app.test_client(), 0
    for who, bodies in (("account", BODIES), ("agent", AGENT_BODIES)):
        for (method, template), good in bodies.items():
            path, body = named(template, names), named(good, names)
            for raw in RAW:
                answer = client.open(
                    path,
                    method=method,
                    data=raw,
                    content_type="application/json",
                    headers=headers[who],
                )
                assert answer.status_code < 500, (method, path, raw[:40], answer.text)
                if who == "account":  # agents may say more than we know
                    assert answer.status_code >= 400, (method, path, raw[:40])
                    assert answer.content_type == "application/problem+json"
            for key in body:
                for value in NASTY:
                    answer = client.open(
                        path, method=method, json=body | {key: value}, headers=headers[who]
                    )
                    tried += 1
                    assert answer.status_code < 500, (method, path, key, value, answer.text)
    assert tried > 800


def test_wrong_content_types_are_refused(
    busy: tuple[OpenHub, dict[str, str], dict[str, dict[str, str]]],
) -> None:
    hub, names, headers = busy
    client = hub.app.test_client()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"):
        for path in ("/api/v1/quotes", "/api/v1/orders", f"/api/v1/jobs/{names['job']}/failed"):
            answer = client.post(
                path, data=b'{"cause": "x"}', content_type=kind, headers=headers["account"]
            )
            problem(answer, 422, "invalid")


def test_malformed_addresses_are_not_found_or_refused(hub: OpenHub) -> None:
    header, client = hub.token(hub.account("ada"), *Scope), hub.app.test_client()
    for path in (
        "jobs/1",
        "jobs/not-a-uuid",
        "orders/%00",
        "printers/" + "9" * 5_000,
        "runs/x/gcode",
    ):
        assert client.get(f"/api/v1/{path}", headers=header).status_code in (404, 422)
    for query in ("after=-1", "after=x", "after=" + "9" * 400, "after=٣", "after=1e3", "after=%00"):
        problem(client.get(f"/api/v1/designs?{query}"), 422, "invalid")
    for path in (
        "/workshops/%00",
        "/api/v1/designs/a%00b/c",
        "/book?account=%00",
        "/designs?q=%00",
    ):
        assert client.get(path).status_code == 422
    for path in (
        "/designs?q=%F0%9F%92%A1+%25%27%3B--",
        "/book?account=%25",
        "/%ff/%fe",
        "/designs?q=" + "a+" * 900,
    ):
        assert client.get(path).status_code in (200, 404)


def test_an_idle_agents_question_costs_three_statements(hub: OpenHub) -> None:
    shop = hub.shop()
    agent, client = hub.agent_token(shop.agent), hub.app.test_client()
    state = {"printer": str(shop.printer), "ready": True, "text": "Operational"}
    body = {"printers": [state]}
    assert client.post("/api/v1/agents/me/ask", json=body, headers=agent).status_code == 200
    with counted(hub.hub.database) as statements:
        answer = client.post("/api/v1/agents/me/ask", json=body, headers=agent)
    assert answer.get_json()["work"] == []
    assert len(statements) <= 3, statements


def test_a_print_that_is_not_ours_takes_the_bed_until_a_person_looks(hub: OpenHub) -> None:
    shop = hub.shop()
    hub.ordered(shop)
    agent, client = hub.agent_token(shop.agent), hub.app.test_client()

    def ask(**said: object) -> dict[str, Any]:
        state = {"printer": str(shop.printer), "ready": True, "text": "Operational"} | said
        body = {"printers": [state]}
        found: dict[str, Any] = client.post(
            "/api/v1/agents/me/ask", json=body, headers=agent
        ).get_json()
        return found

    assert ask(foreign=True)["work"] == []  # even where it says at once that it is ready again
    again = ask()
    assert again["work"] == []
    assert again["why_not"] == {str(shop.printer): NOT_CLEAR}
    owner = hub.client("owner")
    assert owner.form(f"/printers/{shop.printer}/bed-clear").status_code == 303
    assert len(ask()["work"]) == 1


def test_what_a_held_question_says_of_a_bed_does_not_outlive_a_persons_word(hub: OpenHub) -> None:
    shop = hub.shop()
    agent, owner = hub.agent_token(shop.agent), hub.client("owner")
    state = {"printer": str(shop.printer), "ready": True, "text": "Operational", "foreign": True}
    answers: list[dict[str, Any]] = []

    def ask() -> None:
        body = {"printers": [state], "wait_s": 20}
        client = hub.app.test_client()
        answers.append(client.post("/api/v1/agents/me/ask", json=body, headers=agent).get_json())

    def bed() -> Bed:
        with hub.hub.database.reading() as session:
            return session.get_one(PrinterRow, shop.printer).bed

    asking = threading.Thread(target=ask)
    asking.start()
    until = time.monotonic() + 10
    while bed() is Bed.CLEAR:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert owner.form(f"/printers/{shop.printer}/bed-clear").status_code == 303
    time.sleep(3 * LOOK_EVERY_S)
    assert bed() is Bed.CLEAR
    hub.ordered(shop)  # which ends the waiting
    asking.join(20)
    assert len(answers[0]["work"]) == 1


READS = (
    "/api/v1/designs",
    "/api/v1/designs/owner/{slug}",
    "/api/v1/designs/owner/{slug}/versions",
    "/api/v1/designs/owner/{slug}/versions/{commit}",
    "/api/v1/orders",
    "/api/v1/jobs/{job}",
    "/api/v1/workshops",
    "/api/v1/workshops/{workshop}",
    "/api/v1/printers/{printer}",
    "/api/v1/book/entries",
    "/api/v1/book/balances",
    "/api/v1/tokens",
    "/api/v1/me",
)


def test_reading_costs_few_statements(
    busy: tuple[OpenHub, dict[str, str], dict[str, dict[str, str]]],
) -> None:
    hub, names, headers = busy
    client = hub.app.test_client()
    for path in READS:
        with counted(hub.hub.database) as statements:
            answer = client.get(named(path, names), headers=headers["account"])
        assert answer.status_code == 200, path
        assert len(statements) <= 12, (path, statements)


def test_a_hello_of_another_version_is_told_both(hub: OpenHub) -> None:
    shop = hub.shop()
    answer = hub.app.test_client().post(
        "/api/v1/agents/me/hello", json={"protocol": 99}, headers=hub.agent_token(shop.agent)
    )
    problem(answer, 422, "invalid")
    assert "1" in answer.get_json()["detail"] and "99" in answer.get_json()["detail"]


def test_ids_are_not_guessable_names(hub: OpenHub) -> None:
    """An unknown id and a foreign one look the same."""
    shop = hub.shop()
    job = hub.ordered(shop)[0]
    header, client = hub.token(hub.account("stranger"), *Scope), hub.app.test_client()
    answers = [client.get(f"/api/v1/jobs/{each}", headers=header) for each in (job, uuid4())]
    details = [answer.get_json()["detail"] for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert (
        details[0].replace(str(job), "")
        == details[1][: details[1].index("job") + 4] + (details[1][details[1].index("job") + 40 :])
    )


def test_times_have_a_zone(hub: OpenHub) -> None:
    hub.shop()
    made = hub.app.test_client().get("/api/v1/designs").get_json()["designs"][0]["created_at"]
    assert made.endswith("Z") and made < clock.iso(clock.now())
