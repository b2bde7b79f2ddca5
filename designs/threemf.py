"""3MF, read strictly: the triangles of everything that stands on its build plate, in mm.

A 3MF is a zip of XML: objects hold a mesh or are put together from other objects, and the build
places objects. A file of 1 KB can so describe 10⁸ copies, and one of 2 MB a gigabyte of XML: sizes
are counted while inflating and copies multiplied out before a single one is made. Read are the core
specification and the part of the production extension that spreads objects over several files;
materials and colours are left aside.

https://github.com/3MFConsortium/spec_core/blob/master/3MF%20Core%20Specification.md
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designs.mesh import FAR_MM, MeshRefused, too_many
from designs.obj import corners_of
from designs.package import Package, parse_xml, part_path
from designs.topology import Corners

CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
MATERIAL = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
TRIANGLE_SETS = "http://schemas.microsoft.com/3dmanufacturing/trianglesets/2021/07"
UNDERSTOOD = frozenset((CORE, PRODUCTION, MATERIAL, TRIANGLE_SETS))

UNITS_MM: Mapping[str, float] = {
    "micron": 0.001,
    "millimeter": 1.0,
    "centimeter": 10.0,
    "inch": 25.4,
    "foot": 304.8,
    "meter": 1_000.0,
}
DEEPEST = 32  # objects in objects in objects
NOT_MADE = frozenset(("support", "surface", "other"))  # types of objects that are no part
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Key:
    """Names an object: ids are unique in one model file only."""

    path: str
    id: str


@dataclass(frozen=True, slots=True)
class Placed:
    """An object put somewhere: by the build, or as a component of another."""

    what: Key
    turn: NDArray[np.float64]  # (4, 3): a point is a row, p′ = (x y z 1)·turn


@dataclass(slots=True)
class Solid:
    """One object: a mesh in mm, or others put together."""

    points: NDArray[np.float64] | None = None
    faces: NDArray[np.int64] | None = None
    components: list[Placed] = field(default_factory=list)
    made: bool = True


def read_3mf(
    data: memoryview, *, most_triangles: int, most_bytes: int, most_instances: int
) -> tuple[Corners, str]:
    """All that stands on the build plate as one mesh in mm, and the unit of the file's numbers.

    Raises MeshRefused: `bad_zip`, `zip_bomb`, `unsafe_name`, `doctype`, `bad_xml`, `no_model`,
    `bad_unit`, `unsupported`, `not_a_number`, `bad_index`, `bad_transform`, `component_loop`,
    `too_deep`, `too_many_instances`, `too_many_triangles`, `empty`, `not_finite`, `too_far`.
    """
    package = Package(data, most_bytes)
    start = package.start_part()
    models: dict[str, _Model] = {}
    wanted = [start]
    while wanted:
        path = wanted.pop()
        if path not in models:
            models[path] = _Model(path, package, most_triangles)
            wanted += sorted(models[path].refers_to)
    solids = {key: solid for model in models.values() for key, solid in model.solids.items()}
    build = models[start].build
    triangles = _multiplied_out(build, solids, most_instances=most_instances)
    if triangles == 0:
        raise MeshRefused(
            "empty", "no triangle stands on the build plate of this 3MF: place a part and save it"
        )
    if triangles > most_triangles:
        raise too_many(triangles, most_triangles)
    pieces = [piece for placed in build for piece in _meshes(placed.what, placed.turn, solids)]
    return np.concatenate(pieces), models[start].unit


class _Model:
    """One model file of the package: its objects, its build, and the other files it needs."""

    def __init__(self, path: str, package: Package, most_triangles: int) -> None:
        self.path, self.most_triangles = path, most_triangles
        self.unit = "millimeter"
        self.solids: dict[Key, Solid] = {}
        self.build: list[Placed] = []
        self.refers_to: set[str] = set()
        self._solid: Solid | None = None
        self._numbers: list[str] = []  # of the mesh being read: x y z in turn
        self._indices: list[str] = []  # v1 v2 v3 in turn
        self._points: list[NDArray[np.float64]] = []  # what of both was already turned
        self._faces: list[NDArray[np.int64]] = []
        self._sides = 0
        self._prefixes: dict[str, str] = {}
        self._seen_model = False
        parse_xml(
            package, path, self._element(), between=self._turn_numbers, prefixes=self._prefixes
        )
        self._finish_mesh()
        if not self._seen_model:
            raise MeshRefused("no_model", f"{path[:80]!r} in this 3MF is no 3MF model")

    def _element(self) -> Callable[[str, dict[str, str]], None]:
        """What happens at the start of an element. A large mesh is a million vertices and
        triangles: these two go first and do no more than they must."""
        numbers, indices = self._numbers, self._indices
        vertex, triangle = f"{CORE} vertex", f"{CORE} triangle"
        others = {
            f"{CORE} model": self._on_model,
            f"{CORE} object": self._on_object,
            f"{CORE} mesh": self._on_mesh,
            f"{CORE} component": self._on_component,
            f"{CORE} build": lambda _: self._finish_mesh(),
            f"{CORE} item": self._on_item,
        }

        def element(name: str, attributes: dict[str, str]) -> None:
            if name == triangle:
                indices.extend((attributes["v1"], attributes["v2"], attributes["v3"]))
            elif name == vertex:
                numbers.extend((attributes["x"], attributes["y"], attributes["z"]))
            elif name in others:
                others[name](attributes)

        return element

    def _on_model(self, attributes: dict[str, str]) -> None:
        self._seen_model = True
        self.unit = attributes.get("unit", self.unit)
        if self.unit not in UNITS_MM:
            known = ", ".join(UNITS_MM)
            raise MeshRefused("bad_unit", f"the unit {self.unit[:40]!r} is none of {known}")
        for prefix in attributes.get("requiredextensions", "").split():
            meant = self._prefixes.get(prefix, prefix)
            if meant not in UNDERSTOOD:
                raise MeshRefused(
                    "unsupported",
                    f"this 3MF needs {meant[:100]}, which we do not read: export plain triangles",
                )

    def _on_object(self, attributes: dict[str, str]) -> None:
        self._finish_mesh()
        key = Key(self.path, attributes["id"])
        if key in self.solids:
            raise MeshRefused("bad_xml", f"this 3MF has two objects {key.id[:40]!r}")
        self._solid = Solid(made=attributes.get("type", "model") not in NOT_MADE)
        self.solids[key] = self._solid

    def _on_component(self, attributes: dict[str, str]) -> None:
        if self._solid is not None:
            self._solid.components.append(self._placed(attributes))

    def _on_item(self, attributes: dict[str, str]) -> None:
        self.build.append(self._placed(attributes))

    def _on_mesh(self, _: dict[str, str]) -> None:
        if self._solid is None or self._solid.points is not None:
            raise MeshRefused("bad_xml", "this 3MF has a mesh that is not alone in an object")
        self._solid.points = np.empty((0, 3))

    def _turn_numbers(self) -> None:
        """Text takes eight times the memory of numbers, so it never waits for long."""
        self._points.append(_numbers(self._numbers, float))
        self._faces.append(_numbers(self._indices, int))
        self._sides += max(len(self._numbers), len(self._indices))
        self._numbers.clear()
        self._indices.clear()
        if self._sides > 9 * self.most_triangles:  # points and faces may come in turn
            raise too_many(self._sides // 3, self.most_triangles)

    def _finish_mesh(self) -> None:
        """What was read since the last object began is its mesh."""
        self._turn_numbers()
        points, faces = np.concatenate(self._points), np.concatenate(self._faces)
        self._points, self._faces = [], []
        if self._solid is not None and self._solid.points is not None:
            with np.errstate(all="ignore"):  # what overflows is refused by name
                self._solid.points = points.reshape(-1, 3) * UNITS_MM[self.unit]
            self._solid.faces = faces.reshape(-1, 3)
        elif len(points) or len(faces):
            raise MeshRefused("bad_xml", "this 3MF has corners outside of a mesh")
        self._solid = None

    def _placed(self, attributes: dict[str, str]) -> Placed:
        other = attributes.get(f"{PRODUCTION} path")
        path = self.path if other is None else part_path(other)
        if other is not None:
            self.refers_to.add(path)
        words = attributes.get("transform", "").split()
        values = _numbers(words, float) if words else np.array(IDENTITY)
        if len(values) != len(IDENTITY) or not (np.abs(values) < FAR_MM * 1_000).all():
            raise MeshRefused(
                "bad_transform", "a transform in this 3MF is not made of 12 numbers: save it again"
            )
        turn = values.reshape(4, 3).copy()
        turn[3] *= UNITS_MM[self.unit]
        if np.linalg.det(turn[:3]) == 0.0:
            raise MeshRefused("bad_transform", "a transform in this 3MF squeezes the part flat")
        return Placed(Key(path, attributes["objectid"]), turn)


def _numbers(words: list[str], kind: type[float] | type[int]) -> NDArray[Any]:
    """The words as one array. Underscores, which Python would read, are no part of a number."""
    code, dtype = ("bad_index", np.int64) if kind is int else ("not_a_number", np.float64)
    try:
        if "_" not in "".join(words):
            return np.fromiter(map(kind, words), dtype=dtype, count=len(words))
    except (ValueError, OverflowError):
        pass
    wrong = next(word for word in words if not _is_number(word, kind))
    raise MeshRefused(code, f"this 3MF has {wrong[:40]!r} where a number belongs: export it again")


def _is_number(word: str, kind: type[float] | type[int]) -> bool:
    try:
        number = kind(word)
    except ValueError:
        return False
    return "_" not in word and (kind is float or abs(number) < 2**63)


def _multiplied_out(
    build: list[Placed], solids: Mapping[Key, Solid], *, most_instances: int
) -> int:
    """How many triangles the build comes to, without making one.

    Raises MeshRefused for loops, objects that do not exist, too deep trees and too many instances.
    """
    counted: dict[Key, tuple[int, int]] = {}  # instances, triangles

    def count(key: Key, above: tuple[Key, ...]) -> tuple[int, int]:
        if key in above:
            raise MeshRefused("component_loop", f"object {key.id[:40]!r} of this 3MF holds itself")
        if len(above) > DEEPEST:
            raise MeshRefused("too_deep", f"objects of this 3MF lie over {DEEPEST} deep in another")
        if key not in counted:
            solid = solids.get(key)
            if solid is None:
                raise MeshRefused("bad_index", f"this 3MF has no object {key.id[:40]!r}")
            faces = 0 if solid.faces is None or not solid.made else len(solid.faces)
            below = [count(placed.what, (*above, key)) for placed in solid.components]
            # An empty object counts too: copying it a million times takes as long.
            counted[key] = (
                max(1, sum(instances for instances, _ in below)),
                faces + sum(triangles for _, triangles in below),
            )
        return counted[key]

    totals = [count(placed.what, ()) for placed in build]
    instances = sum(instances for instances, _ in totals)
    if instances > most_instances:
        raise MeshRefused(
            "too_many_instances",
            f"this 3MF places {instances} objects, the limit is {most_instances}: push one part and"
            " order as many as you need",
        )
    return sum(triangles for _, triangles in totals)


def _meshes(key: Key, turn: NDArray[np.float64], solids: Mapping[Key, Solid]) -> Iterator[Corners]:
    """The mesh of an object and of all it is put together from, each in its place."""
    solid = solids[key]
    if solid.made and solid.points is not None and solid.faces is not None and len(solid.faces):
        with np.errstate(all="ignore"):  # what overflows is refused by name
            points = solid.points @ turn[:3] + turn[3]
        corners = corners_of(points, solid.faces)
        # A mirror turns a mesh inside out: swap two corners to turn it back.
        yield corners[:, [0, 2, 1]] if np.linalg.det(turn[:3]) < 0 else corners
    for placed in solid.components:
        with np.errstate(all="ignore"):
            joined = placed.turn @ turn[:3]
        joined[3] += turn[3]
        yield from _meshes(placed.what, joined, solids)
