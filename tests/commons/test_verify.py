"""The verifier on its own: whatever is done to an export, it is found, and where."""

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.db import Base, Database
from basis.errors import Invalid, NotAllowed
from commons import audit, queries, verify
from commons.book import restore
from tests.commons.worlds import a_story, exported, say

VERIFIER = Path(verify.__file__)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The export of a short story: seven entries, one of each kind of fact an order makes."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('book') / 'hub.sqlite'}")
    Base.metadata.create_all(database.engine)
    say(database, *a_story())
    found = exported(database)
    database.close()
    return found


def run(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The verifier as an outsider runs it: a lone file, no package, isolated from ours."""
    command = [sys.executable, "-I", str(path.parent / "verify.py"), str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def alone(tmp_path: Path, lines: list[bytes]) -> Path:
    """The export and a copy of the verifier in a folder of their own."""
    (tmp_path / "verify.py").write_bytes(VERIFIER.read_bytes())
    path = tmp_path / "entries.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def test_a_right_book_from_a_lone_file(alone: Path, lines: list[bytes]) -> None:
    head = json.loads(lines[-1])["hash"]
    plain = run(alone)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert f"{len(lines)} entries, head {head}" in plain.stdout
    assert "cut off the end" in plain.stdout
    told = run(alone, "--head", head, "--json")
    assert told.returncode == 0
    assert json.loads(told.stdout) == {
        "ok": True, "entries": len(lines), "head": head, "line": None, "seq": None, "why": None,
    }  # fmt: skip


def test_exit_codes_tell_wrong_from_unreadable(alone: Path) -> None:
    alone.write_bytes(alone.read_bytes().replace(b"452000", b"451000"))
    wrong = run(alone, "--json")
    assert wrong.returncode == 1
    assert json.loads(wrong.stdout)["line"] == 4  # where the part was made
    assert run(alone.with_name("missing.jsonl")).returncode == 2
    assert run(alone, "--nonsense").returncode == 2


def test_a_flipped_byte_is_found_on_its_line(lines: list[bytes]) -> None:
    """Every fifth byte of the export, and the end of each line, in one bit or another."""
    whole = b"".join(lines)
    starts = [sum(map(len, lines[:n])) for n in range(len(lines))]
    ends = {start - back for start in starts[1:] for back in (1, 2, 3)} | {len(whole) - 1}
    for place in sorted(ends | set(range(0, len(whole), 5))):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        verdict = verify.verify(verify.lines_of(io.BytesIO(flipped)))
        where = max(n for n, start in enumerate(starts, start=1) if start <= place)
        assert not verdict.ok, place
        assert verdict.line == where, (place, verdict)
        assert verdict.seq == where


@given(data=st.data())
def test_any_replaced_bytes_are_found(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(lines)
    start = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.integers(0, 40))
    instead = data.draw(st.binary(max_size=40))
    changed = whole[:start] + instead + whole[start + length :]
    if changed != whole and not whole.startswith(changed):
        assert not verify.verify(verify.lines_of(io.BytesIO(changed))).ok


def mangled(lines: Sequence[bytes], how: str, at: int) -> list[bytes]:
    out = list(lines)
    if how == "drop":
        del out[at]
    elif how == "repeat":
        out.insert(at, out[at])
    elif how == "swap":
        out[at], out[at - 1] = out[at - 1], out[at]
    elif how == "cut":
        out[at] = out[at][:-1]
    elif how == "blank":
        out.insert(at, b"\n")
    elif how == "crlf":
        out[at] = out[at][:-1] + b"\r\n"
    elif how == "spaced":
        out[at] = json.dumps(json.loads(out[at]), sort_keys=True, ensure_ascii=False).encode()
        out[at] += b"\n"
    return out


@pytest.mark.parametrize("how", ["drop", "repeat", "swap", "cut", "blank", "crlf", "spaced"])
@pytest.mark.parametrize("at", [1, 3, 5])
def test_lines_lost_repeated_or_moved_are_found(lines: list[bytes], how: str, at: int) -> None:
    verdict = verify.verify(mangled(lines, how, at))
    expected = {"repeat": at + 2, "swap": at}.get(how, at + 1)
    assert (verdict.ok, verdict.line) == (False, expected)


def test_a_cut_tail_is_found_by_a_head_seen_elsewhere(lines: list[bytes]) -> None:
    head = json.loads(lines[-1])["hash"]
    assert verify.verify(lines[:-2]).ok  # the file alone cannot tell
    verdict = verify.verify(lines[:-2], head=head)
    assert not verdict.ok
    assert verdict.why is not None
    assert head in verdict.why
    older = json.loads(lines[3])["hash"]
    assert verify.verify(lines, head=older).ok  # the book went on since a witness saw it


def test_no_entries_is_not_a_book() -> None:
    assert not verify.verify([]).ok


def rechained(lines: Sequence[bytes], changes: dict[int, dict[str, Any]]) -> list[bytes]:
    """A forged export: some fields changed and every hash worked out again, without our code."""
    out, prev = [], "0" * 64
    for seq, line in enumerate(lines, start=1):
        entry = json.loads(line) | changes.get(seq, {}) | {"prev": prev, "seq": str(seq)}
        del entry["hash"]
        bare = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        entry["hash"] = prev = hashlib.sha256(bare.encode()).hexdigest()
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        out.append(text.encode() + b"\n")
    return out


def test_the_forger_of_this_file_forges_well(lines: list[bytes]) -> None:
    assert rechained(lines, {}) == lines


def body_with(line: bytes, old: str, new: str) -> dict[str, Any]:
    text = json.dumps(json.loads(line)["body"])
    assert old in text
    return {"body": json.loads(text.replace(old, new))}


@pytest.mark.parametrize(
    ("seq", "old", "new", "why"),
    [
        (4, "452000", "451000", "sum to zero"),
        (4, '"452000"', '"0452000"', "canonical"),
        (4, '"452000"', "452000", "not an object, a list or a string"),
        (4, '"452000"', '"-452000"', "outside a correction"),
        (4, '"produce"', '"conjure"', "actions"),
        (4, "part:job:1", "part of Ana", "not a name"),
        (5, "owed:workshop:1", "workshop:1", "does not settle"),  # then entry 6 cannot settle
        (6, '"386"', '"385"', "a post of 385 for a claim of 386"),
        (6, "goods:member:9", "goods:member:8", None),  # a lie, but a consistent one
        (7, '"385"', '"386"', "reserved"),
        (7, "job:2", "job:1", "another job"),
        (2, '"771"', '"385"', "reserved"),
        (2, '"jobs": "2"', '"jobs": "1"', "reserved"),
    ],
)
def test_a_forger_who_rechains_everything_still_meets_the_rules(
    lines: list[bytes], seq: int, old: str, new: str, why: str | None
) -> None:
    forged = rechained(lines, {seq: body_with(lines[seq - 1], old, new)})
    verdict = verify.verify(forged)
    if why is None:
        assert verdict.ok  # only a head seen elsewhere tells; and it does
        assert not verify.verify(forged, head=json.loads(lines[-1])["hash"]).ok
    else:
        assert not verdict.ok
        assert verdict.why is not None
        assert why in verdict.why
        assert verdict.seq is not None
        assert verdict.seq >= seq


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'{"at":1e400}\n',
        b"[" * 100_000 + b"\n",
        b"\xff\n",
        b"\xef\xbb\xbf{}\n",
        b'"\\ud800"\n',
        b"x" * (verify.LINE_BYTES + 1),
    ],
)
def test_rubbish_is_named_not_crashed_on(line: bytes) -> None:
    verdict = verify.verify([line])
    assert (verdict.ok, verdict.line) == (False, 1)


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner)
        ),
        max_leaves=20,
    )
)
def test_the_canonical_form_is_one_form(value: Any) -> None:
    try:
        text = verify.canonical(value)
    except verify.Wrong as exc:
        assert "NFC" in str(exc)
        return
    assert verify.canonical(json.loads(text)) == text
    assert json.loads(text) == value
    assert "\n" not in text


@pytest.mark.parametrize(
    "value", [1, 1.5, True, None, {"ä": "x"}, "e\u0301", "\ud800", ("x",), {1: "x"}]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(verify.Wrong):
        verify.canonical(value)


@pytest.mark.parametrize("text", ["", "0", "-0", "+1", "01", "1.0", "1e3", "1_000", " 1", "١", 1])
def test_only_one_way_to_write_a_number(text: object) -> None:
    with pytest.raises(verify.Wrong):
        verify.number(text)


def test_restore_gives_the_same_bytes_and_the_same_balances(
    database: Database, lines: list[bytes]
) -> None:
    with database.writing() as session:
        replay = restore(session, lines)
    assert exported(database) == lines
    with database.reading() as session:
        report = audit.check(session)
        assert report.ok, str(report)
        kept = {(row.account, row.unit): row.amount for row in queries.balances(session)}
    assert kept == {side: amount for side, amount in replay.balances.items() if amount}
    say(database, *a_story())  # every fact is already known
    assert exported(database) == lines


def test_a_bad_export_is_not_restored(database: Database, lines: list[bytes]) -> None:
    with pytest.raises(Invalid, match="line 4"), database.writing() as session:
        restore(session, [*lines[:3], lines[3].replace(b"452000", b"451000"), *lines[4:]])
    assert exported(database) == []
    with database.writing() as session:
        restore(session, lines)
    with pytest.raises(NotAllowed, match="empty"), database.writing() as session:
        restore(session, lines)
