"""What a push may contain: the rules one by one, without git."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.push import (
    LINK,
    NOTHING,
    REF_BYTES,
    SUBMODULE,
    TREE,
    Fault,
    Limits,
    RefChange,
    TreeEntry,
    blob_faults,
    is_manifest,
    mode_fault,
    name_fault,
    plain,
    pointer_faults,
    ref_faults,
    refusal,
    same_elsewhere,
    size,
    submodule_faults,
    tree_entries,
    tree_faults,
)

ONE, TWO = "1" * 40, "2" * 40
MAIN = "refs/heads/main"


def faults_of(old: str, new: str, ref: str) -> list[Fault]:
    return list(ref_faults([RefChange(old, new, ref)], published=MAIN))


@pytest.mark.parametrize(
    "change",
    [
        (NOTHING, ONE, MAIN),
        (ONE, TWO, MAIN),
        (NOTHING, ONE, "refs/tags/v1.0"),
        (ONE, TWO, "refs/heads/try"),
        (ONE, NOTHING, "refs/heads/try"),
        (NOTHING, ONE, "refs/heads/teil-größe/2"),
        (NOTHING, ONE, "refs/heads/" + "a" * (REF_BYTES - 11)),
        (ONE, NOTHING, "refs/heads/-x"),  # an odd branch from elsewhere may be tidied away
    ],
)
def test_a_usual_change_is_taken(change: tuple[str, str, str]) -> None:
    assert faults_of(*change) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ((NOTHING, ONE, "refs/notes/x"), "only branches and tags"),
        ((NOTHING, ONE, "refs/heads"), "only branches and tags"),
        ((NOTHING, ONE, "HEAD"), "only branches and tags"),
        ((NOTHING, ONE, "refs/changes/heads/x"), "only branches and tags"),
        ((NOTHING, ONE, "refs/heads/--upload-pack=x"), "begin with '-'"),
        ((NOTHING, ONE, "refs/tags/a/-b"), "begin with '-'"),
        ((NOTHING, ONE, "refs/heads/a\x1b[31m"), "control characters"),
        ((NOTHING, ONE, "refs/heads/\udcff"), "not UTF-8"),
        ((NOTHING, ONE, "refs/heads/" + "a" * (REF_BYTES - 10)), "longer than"),
        ((NOTHING, ONE, "refs/heads/" + "ä" * 125), "longer than"),
        ((NOTHING, ONE, f"refs/heads/{TWO}"), "commit id"),
        ((ONE, TWO, "refs/tags/v1"), "cannot be moved"),
        ((ONE, NOTHING, "refs/tags/v1"), "cannot be deleted"),
        ((ONE, NOTHING, MAIN), "published branch"),
    ],
)
def test_an_odd_change_is_one_fault(change: tuple[str, str, str], word: str) -> None:
    [fault] = faults_of(*change)
    assert word in fault.why


@pytest.mark.parametrize(
    "name",
    [
        "part.stl",
        ".gitignore",
        ".gitattributes",
        ".gitmodules",
        ".github",
        "git",
        "git.md",
        "console.md",
        "com10.stl",
        "auxiliary.step",
        "null.stl",
        "größe.stl",
        "部品.step",
        "a b (1).stl",
        "...stl",
        "-rf",
        "--output=x",
        "😀‍👍.png",
        "x" * 255,
    ],
)
def test_a_usual_name_is_taken(name: str) -> None:
    assert name_fault(name.encode()) is None


@pytest.mark.parametrize(
    ("name", "word"),
    [
        (b".git", "git's own"),
        (b".GIT", "git's own"),
        (b".Git ", "space"),
        (b".git.", "dot"),
        (b".git::$INDEX_ALLOCATION", "git's own"),
        (b"git~1", "git's own"),
        (b"GIT~2", "git's own"),
        (b"gitmod~1", "git's own"),
        (".g\u200cit".encode(), "git's own"),
        (".git\ufeff".encode(), "git's own"),
        (b"CON", "device"),
        (b"aux.stl", "device"),
        (b"nul .step", "device"),
        (b"Com1.tar.gz", "device"),
        ("lpt\u00b9".encode(), "device"),
        (b"CONIN$", "device"),
        (b"a\\b.stl", "backslash"),
        (b"a\n", "control"),
        (b"a\x1b[2J", "control"),
        (b"a\r.stl", "control"),
        (b"a\x7f", "control"),
        ("a\u0085".encode(), "control"),
        ("stl.\u202egnp".encode(), "control"),
        (b"part.", "dot"),
        (b"part ", "space"),
        (b"caf\xe9.stl", "not UTF-8"),
        (b"x" * 256, "longer than"),
    ],
)
def test_an_odd_name_is_a_fault(name: bytes, word: str) -> None:
    assert word in (name_fault(name) or "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("README", "readme"),
        ("größe", "gro\u0308ße"),
        ("GRÖSSE", "größe"),
        ("\u212b", "\u00c5"),
        ("\u01f0", "J\u030c"),
    ],
)
def test_names_that_are_one_file_elsewhere(one: str, other: str) -> None:
    assert same_elsewhere(one) == same_elsewhere(other)
    entries = [TreeEntry(one.encode(), 0o100644, ONE), TreeEntry(other.encode(), 0o100644, TWO)]
    [fault] = tree_faults(entries, folder="cad")
    assert fault.where == f"cad/{other}"
    assert one in fault.why


@pytest.mark.parametrize(("one", "other"), [("a.stl", "b.stl"), ("ı", "i"), ("ma", "mä")])
def test_names_that_stay_apart(one: str, other: str) -> None:
    assert same_elsewhere(one) != same_elsewhere(other)


@pytest.mark.parametrize("mode", [TREE, SUBMODULE, 0o100644, 0o100755, 0o100664])
def test_usual_kinds_are_taken(mode: int) -> None:
    assert mode_fault(mode) is None


def test_links_and_odd_kinds_are_faults() -> None:
    assert "symbolic link" in (mode_fault(LINK) or "")
    assert "104755" in (mode_fault(0o104755) or "")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0o100644, TREE, LINK]),
            st.binary(min_size=1).filter(lambda name: b"\0" not in name),
            st.binary(min_size=20, max_size=20),
        )
    )
)
def test_a_raw_tree_is_read_back(entries: list[tuple[int, bytes, bytes]]) -> None:
    raw = b"".join(b"%o %s\0%s" % entry for entry in entries)
    wanted = [TreeEntry(name, mode, oid.hex()) for mode, name, oid in entries]
    assert list(tree_entries(raw)) == wanted


@given(st.text())
def test_what_is_shown_has_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = plain(text)
    assert not set(shown) & {chr(code) for code in [*range(32), 127, *range(128, 160)]}
    shown.encode()  # and no half characters


def test_a_file_is_too_large_from_the_first_byte_over() -> None:
    limits = Limits(file_bytes=1000)
    assert list(blob_faults("a", 1000, limits)) == []
    [fault] = blob_faults("a", 1001, limits)
    assert fault.where == "a"


def test_a_pointer_is_told_from_a_text_about_pointers() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    [fault] = pointer_faults("a.stl", pointer, Limits())
    assert "up to 256 MB" in fault.why
    assert list(pointer_faults("a.md", b"see " + pointer, Limits())) == []


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a.git", "https://example.org:8443/a/b", "https://a.b/c?d=e"],
)
def test_https_submodules_are_taken(url: str) -> None:
    assert (
        list(submodule_faults("", [("submodule.x.url", url), ("submodule.x.path", "lib/x")])) == []
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("submodule.x.url", "http://example.org/a.git"),
        ("submodule.x.url", "git@example.org:a.git"),
        ("submodule.x.url", "../a.git"),
        ("submodule.x.url", "file:///etc"),
        ("submodule.x.url", "ext::sh -c x"),
        ("submodule.x.url", "-u./payload"),
        ("submodule.x.url", "https://-x/"),
        ("submodule.x.url", "https://user@example.org/a"),
        ("submodule.x.url", "https://example.org/a\r"),
        ("submodule.x.url", "https://example.org/a b"),
        ("submodule.x.url", "HTTPS"),
        ("submodule.x.path", "lib\r"),
        ("submodule.x.path", "-lib"),
        ("submodule.x.path", "../lib"),
        ("submodule.x.update", "!sh -c x"),
        ("submodule.x\r.url", "https://example.org/a"),
    ],
)
def test_other_submodules_are_faults(key: str, value: str) -> None:
    assert len(list(submodule_faults(".gitmodules", [(key, value)]))) == 1


def test_a_list_of_submodules_that_git_cannot_read_is_a_fault() -> None:
    assert len(list(submodule_faults(".gitmodules", None))) == 1


@pytest.mark.parametrize("name", [b"okh.toml", b"OKH.yml", b"my.okh.yaml", b"okh-thing.toml"])
def test_manifests_are_known_by_name(name: bytes) -> None:
    assert is_manifest(name)
    assert not is_manifest(name + b".bak")


def test_a_refusal_names_the_first_faults_and_counts_the_rest() -> None:
    said = refusal([Fault(f"{n}.stl", "why\x1b") for n in range(25)])
    assert "0.stl: why" in said
    assert "20.stl" not in said
    assert "and 5 more" in said


def test_limits_travel_as_text() -> None:
    limits = Limits(push_bytes=1, file_bytes=2, tree_files=3, repository_bytes=4)
    assert Limits.from_json(limits.to_json()) == limits
    assert Limits.from_json("") == Limits()


@pytest.mark.parametrize(
    ("number", "text"), [(999, "999 bytes"), (1536, "1.5 kB"), (256 << 20, "256 MB")]
)
def test_sizes_in_words(number: int, text: str) -> None:
    assert size(number) == text
