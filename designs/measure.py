"""The child that reads strangers' mesh files: `designs.analysis` starts it in a jail.

For each file name it is given, in the order given, it reads the file in the working directory and
leaves `<number>.stl`, the mesh as it is sliced, and beside it `<number>.png` and `<number>.glb.gz`,
a picture and a model to look at. Its answer is one JSON object on stdout: `{"parts": [{"facts": …,
"model": whether there is one} or {"refusal": code, "text": sentence}, …]}`.
"""

import json
import mmap
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from designs.facts import FileLimits, Pose
from designs.glb import packed_glb
from designs.mesh import MeshRefused, canonical, facts_of
from designs.poses import poses_of
from designs.preview import picture
from designs.readers import Read, read
from designs.stl import stl_pieces
from designs.topology import Corners


def main(arguments: list[str]) -> None:
    """Measure the files named by the arguments after the first, which holds the limits as JSON."""
    limits = FileLimits(**json.loads(arguments[0]))
    parts = [measured(Path(name), number, limits) for number, name in enumerate(arguments[1:])]
    json.dump({"parts": parts}, sys.stdout)


def measured(path: Path, number: int, limits: FileLimits) -> dict[str, Any]:
    """The answer about one file; what was made of it is written."""
    try:
        found = _read(path, limits)
        facts = facts_of(found.corners, unit=found.unit, unit_source=found.unit_source)
    except MeshRefused as refused:
        return {"refusal": refused.code, "text": str(refused)}
    corners = canonical(found.corners, facts)
    del found  # a large mesh fits into memory twice, not three times
    with Path(f"{number}.stl").open("wb") as file:
        file.writelines(stl_pieces(corners))
    answer = replace(facts, poses=_poses(corners)).to_json()
    try:
        Path(f"{number}.png").write_bytes(picture(corners, both_sides=not facts.watertight))
    except MeshRefused as refused:
        answer["warnings"].append({"code": refused.code, "text": str(refused)})
    return {"facts": answer, "model": _modelled(corners, number)}


def _poses(corners: Corners) -> tuple[Pose, ...]:
    """How it can lie. A part that is too much for it is printed as it was modelled."""
    try:
        return poses_of(corners)
    except (MeshRefused, MemoryError):
        return ()


def _modelled(corners: Corners, number: int) -> bool:
    """Write the model to look at. A part that is too much for it is measured all the same."""
    try:
        Path(f"{number}.glb.gz").write_bytes(packed_glb(corners))
    except (MeshRefused, MemoryError):
        return False
    return True


def _read(path: Path, limits: FileLimits) -> Read:
    """Read the file through a mapping: five million triangles need not lie in memory twice."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # cannot be mapped
            return read(path.name, memoryview(b""), limits=limits)
        # Never closed by hand: it goes with the last view of it.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return read(path.name, memoryview(mapped), limits=limits)


if __name__ == "__main__":
    main(sys.argv[1:])
