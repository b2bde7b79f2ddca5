"""What a hub signs of a run: only that, by only that key, for only that run."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from basis.errors import Invalid
from printers.protocol import HubKey, Lease, Signed, gcode_path
from printers.provenance import NotSigned, canonical, check_lease, read, rotation
from printers.signing import (
    KIND,
    checked,
    checked_key,
    is_signed,
    new_private,
    public_of,
    sign,
    successors,
)
from printers.trust import FILE, HubDistrusted, Trust
from tests.support.hub_stand_in import HubStandIn, document_of

JOB, RUN, PRINTER = (UUID(int=number) for number in (1, 2, 3))
LEASE = Lease(
    run=RUN,
    job=JOB,
    printer=PRINTER,
    fence=7,
    path=gcode_path(job=JOB, run=RUN),
    sha256="a" * 64,
    sha1="b" * 40,
    size_bytes=1_000,
    title="cube",
    duration_s=60,
    lease_s=30,
)
PRIVATE = new_private()
SIGNED = sign(PRIVATE, document_of(LEASE))


def raw(text: str) -> str:
    return KIND + base64.urlsafe_b64encode(bytes.fromhex(text)).rstrip(b"=").decode()


def test_signatures_are_those_of_the_standard() -> None:
    """The first vector of RFC 8032, 7.1: an empty text."""
    private = raw("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = raw("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = raw(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
        "cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert sign(private, "") == Signed(document="", key=public, signature=signature)
    assert is_signed(public, "", signature)
    assert not is_signed(public, " ", signature)


def test_a_signed_document_says_what_was_written() -> None:
    made = checked(SIGNED, trusted=public_of(PRIVATE))
    assert (made.run, made.gcode_sha256, made.fence) == (RUN, LEASE.sha256, 7)
    assert canonical(made.to_json()) == SIGNED.document
    check_lease(made, LEASE)


@given(at=st.integers(0, len(SIGNED.document) - 1), letter=st.characters(codec="utf-8"))
def test_no_letter_of_it_may_change(at: int, letter: str) -> None:
    assume(SIGNED.document[at] != letter)
    text = SIGNED.document[:at] + letter + SIGNED.document[at + 1 :]
    with pytest.raises(NotSigned):
        checked(replace(SIGNED, document=text), trusted=SIGNED.key)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "ed25519:",
        SIGNED.signature.removeprefix(KIND),
        SIGNED.signature[:-1],
        SIGNED.signature + "=",
        SIGNED.key,
        sign(new_private(), SIGNED.document).signature,
        sign(PRIVATE, SIGNED.document + " ").signature,
    ],
)
def test_no_other_signature_will_do(signature: str) -> None:
    with pytest.raises(NotSigned, match="is not that of"):
        checked(replace(SIGNED, signature=signature), trusted=SIGNED.key)


def test_only_the_trusted_key_may_sign() -> None:
    other = sign(new_private(), SIGNED.document)
    with pytest.raises(NotSigned, match="only ed25519:"):
        checked(other, trusted=SIGNED.key)


@pytest.mark.parametrize(
    "document",
    [
        *("", "[]", "null", "{}", "[" * 100_000, SIGNED.document + "\n"),
        SIGNED.document.replace(":", ": ", 1),
        document_of(LEASE, format="designhub-provenance-2"),
        rotation(HubKey(key=SIGNED.key, since="", replaces="")),
    ],
    ids=range(9),
)
def test_only_a_provenance_is_one(document: str) -> None:
    with pytest.raises(NotSigned):
        read(document)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run", uuid4()),
        ("job", uuid4()),
        ("printer", uuid4()),
        ("fence", 8),
        ("gcode_sha256", "c" * 64),
        ("gcode_bytes", 999),
    ],
)
def test_it_is_good_for_one_run_only(name: str, value: Any) -> None:
    made = checked(sign(PRIVATE, document_of(LEASE, **{name: value})), trusted=SIGNED.key)
    with pytest.raises(NotSigned, match="signed is for"):
        check_lease(made, LEASE)


@pytest.mark.parametrize("text", ["", "x", "ed25519:", SIGNED.signature, "ed25519:" + "A" * 42])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(Invalid):
        checked_key(text)
    assert checked_key(f" {SIGNED.key}\n") == SIGNED.key


# --- which key an agent believes ------------------------------------------------------------------


@pytest.fixture
def hub() -> HubStandIn:
    return HubStandIn("ender")


def test_the_first_word_is_believed_and_kept(hub: HubStandIn, tmp_path: Path) -> None:
    trust, key = Trust(tmp_path), public_of(hub.keys[0])
    assert key in trust.learn(hub.public())
    assert trust.learn(hub.public()) == ""
    assert Trust(tmp_path).key == key
    with pytest.raises(HubDistrusted, match=f"does not follow from {key}"):
        Trust(tmp_path).learn(HubStandIn("ender").public())


def test_rotations_are_followed_once_and_never_back(hub: HubStandIn, tmp_path: Path) -> None:
    trust = Trust(tmp_path, pinned=public_of(hub.keys[0]))
    first = hub.public()
    trust.learn(first)
    hub.keys += [new_private(), new_private()]
    assert "the one before signed that" in trust.learn(hub.public())
    assert Trust(tmp_path, pinned=public_of(hub.keys[0])).key == public_of(hub.keys[2])
    with pytest.raises(HubDistrusted):  # a hub that was restored from before the rotation
        trust.learn(first)
    assert trust.key == public_of(hub.keys[2])
    trust.check(replace(LEASE, signed=hub.sign(LEASE)))
    with pytest.raises(NotSigned):  # what the older key signs is nothing any more
        trust.check(replace(LEASE, signed=sign(hub.keys[0], document_of(LEASE))))


def test_a_rotation_that_the_old_key_did_not_sign_is_none(hub: HubStandIn, tmp_path: Path) -> None:
    first = hub.public()[0]
    thief = new_private()
    forged = HubKey(key=public_of(thief), since=first.since, replaces=first.key)
    forged = replace(forged, signature=sign(thief, rotation(forged)).signature)
    assert successors([first, forged], trusted=first.key) == [first.key]
    trust = Trust(tmp_path, pinned=first.key)
    with pytest.raises(HubDistrusted):
        trust.learn([first, forged])
    with pytest.raises(HubDistrusted):
        trust.learn([forged])
    with pytest.raises(HubDistrusted, match="names no key"):
        trust.learn([])
    assert trust.key == first.key


def test_another_pin_begins_anew(hub: HubStandIn, tmp_path: Path) -> None:
    Trust(tmp_path).learn(hub.public())
    other = HubStandIn("ender")
    trust = Trust(tmp_path, pinned=public_of(other.keys[0]))
    trust.learn(other.public())
    assert Trust(tmp_path, pinned=public_of(other.keys[0])).key == public_of(other.keys[0])


def test_a_damaged_memory_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"pinned": "", "key": "?"}')
    with pytest.raises(Invalid, match="set hub_key and remove it"):
        Trust(tmp_path)


def test_without_a_signature_nothing_is_printed(hub: HubStandIn, tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    trust.learn(hub.public())
    with pytest.raises(NotSigned, match="without the hub's signature"):
        trust.check(LEASE)
