"""Measure mesh files in a jail: what comes back is facts, or a reason why there are none.

Whatever a file does to the child that reads it (takes too long, takes too much memory, crashes it)
is a fact about that file and told to its designer; trying again would only do the same.
"""

import json
import logging
import math
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from basis import jail
from basis.errors import HubError, Unavailable
from designs import glb
from designs.facts import FileLimits, MeshFacts

log = logging.getLogger(__name__)

START = "import sys; sys.path[:0] = sys.argv[1:3]; import designs.{0} as it; it.main(sys.argv[3:])"
LARGE_BYTES = 64_000_000  # a file from here on gets the limits of a large one
MEMORY_BYTES, LARGE_MEMORY_BYTES = 2_000_000_000, 4_000_000_000
CPU_S, LARGE_CPU_S = 60, 120  # text takes the longest: 3MF of 100 MB inflated 10 s
EACH_CPU_S = 3  # more for every further file of a batch
WALL = 1.5  # wall time over cpu time, and at least 10 s over it
STL_BYTES = 300_000_000  # five million triangles and some
PNG_BYTES = 4_000_000
MODEL_BYTES = glb.MOST_BYTES
MACHINE_SAYS = ("failed to execute", "bwrap:", "ModuleNotFoundError", "No space left on device")
PLAIN_ENDING = re.compile(r"\.[a-z0-9]{1,8}")

WHY: Mapping[jail.How, tuple[str, str]] = {
    jail.How.TOO_SLOW: (
        "too_slow",
        "measuring it took longer than we allow: export it with a coarser tolerance",
    ),
    jail.How.TOO_COMPLEX: (
        "too_complex",
        "measuring it took more memory than we allow: export it with a coarser tolerance",
    ),
    jail.How.CRASHED: ("crashed", "our reader broke down on it: export it in another format"),
    jail.How.FAILED: ("crashed", "our reader broke down on it: export it in another format"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A mesh that can be made, with plain files below the job folder."""

    name: str
    facts: MeshFacts
    stl: Path  # binary, mm, right side out, lowest point at z = 0: the only thing ever sliced
    picture: Path | None  # PNG; None when there is nothing to be seen
    model: Path | None  # glTF packed by gzip, to be looked at; None when it is too much for that


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that is no part we can make: a stable word and a sentence for its designer."""

    name: str
    code: str
    text: str


DEFAULT_LIMITS = FileLimits()


def measure(
    files: Sequence[tuple[str, bytes | Path]],
    *,
    folder: Path,
    file_limits: FileLimits = DEFAULT_LIMITS,
    cpu_s: int | None = None,
    memory_bytes: int | None = None,
) -> list[Measured | Refused]:
    """Facts, canonical STL and picture of each file, or why there are none, in the order given.

    A file is its name, whose ending says the format, and its content or where it lies. `folder`
    belongs to this call and holds the results afterwards; the caller removes it. All files share
    one child, for its start takes longer than most meshes; when one of them ends it, each is
    measured again alone. `cpu_s` and `memory_bytes` replace the limits of the child.

    Raises Unavailable when the child cannot even start: that is no fact about a file.
    """
    if not files:
        return []
    results = _attempt(files, folder / "all", file_limits, cpu_s, memory_bytes)
    if isinstance(results, list):
        return results
    if len(files) == 1:
        return [Refused(name=files[0][0], code=results[0], text=results[1])]
    alone: list[Measured | Refused] = []
    for number, (name, content) in enumerate(files):
        place = folder / f"alone-{number}"
        result = _attempt([(name, content)], place, file_limits, cpu_s, memory_bytes)
        if isinstance(result, list):
            alone += result
        else:
            alone.append(Refused(name=name, code=result[0], text=result[1]))
    return alone


def _attempt(
    files: Sequence[tuple[str, bytes | Path]],
    folder: Path,
    file_limits: FileLimits,
    cpu_s: int | None,
    memory_bytes: int | None,
) -> list[Measured | Refused] | tuple[str, str]:
    """One child for these files: its results, or the word and the sentence for its end."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    inputs, largest = [], 0
    for number, (name, content) in enumerate(files):
        # The child never sees a stranger's file name, only its ending.
        ending = Path(name).suffix.lower()
        path = folder / f"in-{number}{ending if PLAIN_ENDING.fullmatch(ending) else ''}"
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content)
        largest = max(largest, path.stat().st_size)
        inputs.append(path.name)
    large = largest > LARGE_BYTES
    cpu_s = cpu_s or (LARGE_CPU_S if large else CPU_S) + EACH_CPU_S * (len(files) - 1)
    limits = jail.Limits(
        memory_bytes=memory_bytes or (LARGE_MEMORY_BYTES if large else MEMORY_BYTES),
        cpu_s=cpu_s,
        wall_s=math.ceil(max(cpu_s * WALL, cpu_s + 10)),
        file_bytes=STL_BYTES,
        output_bytes=100_000 + 20_000 * len(files),
    )
    ended = jail.run(
        [*command("measure"), json.dumps(asdict(file_limits)), *inputs],
        folder=folder,
        limits=limits,
        read_only=read_only(),
    )
    for name in inputs:
        (folder / name).unlink()
    if ended.how is not jail.How.OK:
        said = ended.stderr.decode("utf-8", "replace")[-2_000:]
        if ended.how is jail.How.FAILED:
            insist_on_machine(said)
        log.warning("the mesh reader ended %s (%d): %s", ended.how, ended.returncode, said)
        return WHY[ended.how]
    try:
        parts = json.loads(ended.stdout)["parts"]
        return [
            _result(name, part, folder, number)
            for number, ((name, _), part) in enumerate(zip(files, parts, strict=True))
        ]
    except (ValueError, KeyError, TypeError, HubError) as exc:
        log.warning("the mesh reader's answer cannot be read: %s", exc)
        return WHY[jail.How.CRASHED]


def _result(name: str, part: Mapping[str, Any], folder: Path, number: int) -> Measured | Refused:
    """One part of the child's answer, with the files it left looked at: it has read a stranger's
    file, so nothing it says is taken on trust."""
    if "refusal" in part:
        return Refused(name=name, code=str(part["refusal"])[:40], text=str(part["text"])[:1_000])
    facts = MeshFacts.from_json(part["facts"])
    stl = folder / f"{number}.stl"
    if jail.size_of_result(folder, stl.name) != 84 + 50 * facts.triangles:
        raise ValueError(f"{stl.name} does not hold {facts.triangles} triangles")
    picture: Path | None = folder / f"{number}.png"
    if any(remark.code == "not_drawn" for remark in facts.warnings):
        picture = None
    elif not 0 < jail.size_of_result(folder, f"{number}.png") <= PNG_BYTES:
        raise ValueError(f"{number}.png is no picture")
    model: Path | None = None
    if part["model"]:
        model = folder / f"{number}.glb.gz"
        if jail.size_of_result(folder, model.name) > MODEL_BYTES:
            raise ValueError(f"{model.name} is too large")
        glb.check_packed(model.read_bytes())
    return Measured(name=name, facts=facts, stl=stl, picture=picture, model=model)


def insist_on_machine(said: str) -> None:
    """What a child says about this machine is no fact about the file: its operator must act."""
    if any(words in said for words in MACHINE_SAYS):
        raise Unavailable(f"the mesh reader cannot work on this machine: {said[-300:]}")


def command(module: str) -> list[str]:
    """A child that runs `main` of a module of ours, by our interpreter without its site: that saves
    as much time as reading a small mesh takes."""
    start = START.format(module)
    return [sys.executable, "-I", "-S", "-c", start, str(_here().parent), str(_site())]


def read_only() -> tuple[Path, ...]:
    """What the child must see: the interpreter, numpy and Pillow, and two packages of ours."""
    return (*jail.python_paths(), _site(), _here(), _here().parent / "basis")


def _here() -> Path:
    return Path(__file__).resolve().parent


@cache
def _site() -> Path:
    """Where numpy is installed."""
    found = find_spec("numpy")
    if found is None or found.origin is None:
        raise Unavailable("numpy is not installed: install designhub[hub]")
    return Path(found.origin).resolve().parent.parent
