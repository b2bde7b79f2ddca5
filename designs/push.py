"""What a push may contain: decided while its objects are still in quarantine.

git's own `receive.fsckObjects` refuses broken objects; here stands what is well-formed but has no
place in a hub: names that mean something else on another system, links, files over a limit, tags
that move. A refused push leaves nothing behind. Slow work (measuring, pictures) comes after the
push, never here.

This module runs inside a git hook at every push, so it imports a few small parts of the standard
library only.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

VARIABLE = "DESIGNHUB_PUSH"
"""The environment variable in which the hub tells the hook its limits."""
NOTHING = "0" * 40
PATH_BYTES = 400
NAME_BYTES = 255
DEPTH = 64
REF_BYTES = 250
REFS = 5_000
"""Most tags and branches in one push."""
OBJECTS = 1_000_000
"""Most new objects in one push."""
POINTER_BYTES = 1_024
"""A Git LFS pointer is smaller than this, by its specification."""
SHOWN = 20
"""Faults told to the pusher; more would only scroll the first ones away."""

TREE, PLAIN_FILES, LINK, SUBMODULE = 0o40000, (0o100644, 0o100755, 0o100664), 0o120000, 0o160000

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, and those that turn the writing direction round."""
DEVICE = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$) *(\..*)?", re.I
)
GIT_ALIAS = re.compile(r"\.git[ .]*(:.*)?|git[a-z0-9]{0,4}~[0-9]+.*", re.I)
HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
POINTER = re.compile(rb"version https://(git-lfs\.github|hawser\.github)\.com/spec/")
MANIFEST = re.compile(r"(.+\.)?okh([_\-:.].*)?\.(toml|ya?ml|json)|okh.*\.yml", re.I)
HTTPS = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.\-]*(:[0-9]{1,5})?/[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one push, and one repository, may be."""

    push_bytes: int = 1 << 30
    file_bytes: int = 256 << 20
    tree_files: int = 20_000
    repository_bytes: int = 4 << 30

    def to_json(self) -> str:
        """As text for the environment of a hook."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Limits":
        """What `to_json` wrote; nothing at all means the defaults."""
        return cls(**json.loads(text or "{}"))


@dataclass(frozen=True, slots=True)
class RefChange:
    """One line that git gives to a pre-receive hook."""

    old: str
    new: str
    ref: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason to refuse a push: where, and what the pusher can do."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{plain(self.where)}: {self.why}"


def plain(text: str) -> str:
    """Text that a terminal only shows and never obeys: control characters become `?`."""
    return UNPRINTABLE.sub("?", text.strip())


def size(number: int) -> str:
    """A number of bytes as people say it."""
    for unit, scale in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if number >= scale:
            return f"{number / scale:.1f}".removesuffix(".0") + f" {unit}"
    return f"{number} bytes"


def ref_faults(changes: Iterable[RefChange], *, published: str) -> Iterator[Fault]:
    """What is wrong with the names and changes of the pushed refs, as far as names tell.

    `published` is the branch that people see first; it stays. Whether its change is a fast-forward
    only its history can tell.
    """
    for change in changes:
        kind, _, name = change.ref.removeprefix("refs/").partition("/")
        if not change.ref.startswith("refs/") or kind not in ("heads", "tags") or not name:
            yield Fault(change.ref, "only branches and tags can be pushed")
        elif change.new != NOTHING and (why := _ref_name_fault(change.ref, name)):
            yield Fault(change.ref, why)
        elif kind == "tags" and change.old != NOTHING:
            what = "deleted" if change.new == NOTHING else "moved"
            yield Fault(
                change.ref,
                f"a tag is a release that people may have made parts of; it cannot be {what}."
                " Make a new tag instead",
            )
        elif change.ref == published and change.new == NOTHING:
            yield Fault(change.ref, "this is the published branch; it cannot be deleted")


def _ref_name_fault(ref: str, name: str) -> str | None:
    if UNPRINTABLE.search(ref):
        return "its name has control characters or is not UTF-8; choose a plain name"
    if len(ref.encode()) > REF_BYTES:
        return f"its name is longer than {REF_BYTES} bytes; choose a shorter one"
    if any(component.startswith("-") for component in name.split("/")):
        return "no part of its name may begin with '-'; choose another name"
    if re.fullmatch(r"[0-9a-fA-F]{40}", name):
        return "its name looks like a commit id; choose another name"
    return None


def name_fault(name: bytes) -> str | None:
    """What is wrong with one name in a folder, whatever it is the name of."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return "the name is not UTF-8; rename it"
    if UNPRINTABLE.search(text):
        return "the name has control characters; rename it"
    if "\\" in text:
        return "the name has a backslash, which is a folder's end on Windows; rename it"
    if text[-1:] in (".", " "):
        return "the name ends with a dot or a space, which Windows drops; rename it"
    if len(name) > NAME_BYTES:
        return f"the name is longer than {NAME_BYTES} bytes; shorten it"
    if GIT_ALIAS.fullmatch(HFS_IGNORED.sub("", text)):
        return "on some systems this name means git's own folder; rename it"
    if DEVICE.fullmatch(text):
        return "on Windows this is the name of a device, not of a file; rename it"
    return None


def same_elsewhere(name: str) -> str:
    """Two names with the same result are one file on Windows or macOS."""
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", folded)


def mode_fault(mode: int) -> str | None:
    """What is wrong with the kind of thing a tree names."""
    if mode == LINK:
        return "this is a symbolic link; push the file itself"
    if mode in (TREE, SUBMODULE, *PLAIN_FILES):
        return None
    return f"this is no plain file (mode {mode:o}); push it as one"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree object."""

    name: bytes
    mode: int
    id: str


def tree_entries(data: bytes) -> Iterator[TreeEntry]:
    """The entries of a raw tree object (`git cat-file tree`)."""
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        yield TreeEntry(
            data[space + 1 : end], int(data[at:space], 8), data[end + 1 : end + 21].hex()
        )
        at = end + 21


def tree_faults(entries: Iterable[TreeEntry], *, folder: str) -> Iterator[Fault]:
    """What is wrong with one folder: names, kinds, and names that fall together elsewhere."""
    seen: dict[str, str] = {}
    for entry in entries:
        text = entry.name.decode(errors="replace")
        where = f"{folder}/{text}" if folder else text
        if why := name_fault(entry.name) or mode_fault(entry.mode):
            yield Fault(where, why)
        key = same_elsewhere(text)
        if key in seen:
            yield Fault(
                where,
                f"{plain(seen[key])!r} beside it is the same name on Windows or macOS; rename one",
            )
        seen[key] = text


def blob_faults(path: str, size_bytes: int, limits: Limits) -> Iterator[Fault]:
    """A file over the limit."""
    if size_bytes > limits.file_bytes:
        most = size(limits.file_bytes)
        yield Fault(path, f"this file has {size(size_bytes)}; a single one may have at most {most}")


def pointer_faults(path: str, content: bytes, limits: Limits) -> Iterator[Fault]:
    """A Git LFS pointer: the file itself would be missing."""
    if POINTER.match(content):
        yield Fault(
            path,
            "this is a Git LFS pointer, and Git LFS is not supported yet: push the file itself,"
            f" up to {size(limits.file_bytes)} (`git lfs migrate export` puts files back)",
        )


def submodule_faults(path: str, settings: Iterable[tuple[str, str]] | None) -> Iterator[Fault]:
    """What is wrong with a `.gitmodules`, given as git reads it; None when git cannot read it.

    Whoever clones a design runs their own git on this file, so it must be harmless there.
    """
    if settings is None:
        yield Fault(path, "git cannot read this list of submodules; repair it")
        return
    for key, value in settings:
        shown = plain(value)[:80]
        last = key.rpartition(".")[2].lower()
        if UNPRINTABLE.search(key + value):
            yield Fault(path, f"control characters in {plain(key)[:80]!r}; remove them")
        elif last == "url" and not HTTPS.fullmatch(value):
            yield Fault(path, f"the submodule address {shown!r} is no plain https:// address")
        elif last == "path" and (value.startswith("-") or ".." in value.split("/")):
            yield Fault(path, f"the submodule path {shown!r} is no plain path in this design")
        elif last == "update" and value.startswith("!"):
            yield Fault(path, "a submodule that runs a command when it is updated; remove that")


def is_manifest(name: bytes) -> bool:
    """Whether a file of the root folder is named like an OKH manifest."""
    return MANIFEST.fullmatch(name.decode(errors="replace")) is not None


def refusal(faults: list[Fault]) -> str:
    """What the pusher reads; each line comes out as `remote: ...`."""
    lines = ["This push was refused and nothing of it was stored:"]
    lines += [f"  {fault}" for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"  ... and {len(faults) - SHOWN} more")
    lines.append("Every new commit is checked: amend or rebase those concerned, then push again.")
    return "\n".join(lines) + "\n"
