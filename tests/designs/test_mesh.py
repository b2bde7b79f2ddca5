"""Measures: solids whose facts are known on paper, and trimesh as an independent witness."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.facts import MeshFacts, UnitSource
from designs.mesh import MeshRefused, canonical, facts_of, overhang_area_mm2
from designs.topology import _order, components, weld
from tests.support.meshes import Mesh, cube, tetra, turned


def measured(mesh: Mesh, *, unit_source: UnitSource = UnitSource.FORMAT) -> MeshFacts:
    return facts_of(mesh, unit="millimeter", unit_source=unit_source)


def codes(facts: MeshFacts) -> set[str]:
    return {remark.code for remark in facts.warnings}


def random_solid(seed: int) -> trimesh.Trimesh:
    """A closed solid of some kind, turned and moved."""
    chance = np.random.default_rng(seed)
    solids = (
        lambda: trimesh.creation.icosphere(subdivisions=int(chance.integers(0, 4)), radius=7),
        lambda: trimesh.creation.torus(9, 3, major_sections=17, minor_sections=9),
        lambda: trimesh.creation.annulus(3, 8, 5, sections=13),
        lambda: trimesh.creation.box((3, 4, 5)),
        lambda: trimesh.creation.capsule(4, 2, count=(8, 9)),
    )
    solid = solids[chance.integers(len(solids))]()
    solid.apply_transform(trimesh.transformations.random_rotation_matrix(chance.random(3)))
    solid.apply_translation(chance.uniform(-200, 200, 3))
    return solid


def test_a_cube_is_what_it_is() -> None:
    facts = measured(cube(20, at=(5, 6, 7)))
    assert (facts.size_x_um, facts.size_y_um, facts.size_z_um) == (20_000, 20_000, 20_000)
    assert (facts.min_x_um, facts.min_y_um, facts.min_z_um) == (5_000, 6_000, 7_000)
    assert (facts.volume_mm3, facts.area_mm2) == (8_000, 2_400)
    assert (facts.watertight, facts.consistent_winding, facts.inverted) == (True, True, False)
    assert (facts.triangles, facts.bodies, facts.euler) == (12, 1, 2)
    assert (facts.flat_base_area_mm2, facts.overhang_area_mm2) == (400, 0)
    assert facts.warnings == ()


def test_a_corner_of_a_cube_is_a_sixth() -> None:
    facts = measured(tetra(6))
    assert facts.volume_mm3 == 36
    assert facts.area_mm2 == pytest.approx(54 + 18 * 3**0.5)
    assert facts.watertight


def test_an_inverted_cube_has_the_facts_of_a_cube_and_a_remark() -> None:
    facts = measured(turned(cube()))
    assert (facts.inverted, facts.volume_mm3, facts.flat_base_area_mm2) == (True, 8_000, 400)
    assert codes(facts) == {"inverted"}
    assert not measured(canonical(turned(cube()), facts)).inverted


def test_an_open_box_says_how_open() -> None:
    facts = measured(cube()[2:])  # without the side x = 0
    assert (facts.watertight, facts.open_edges, facts.non_manifold_edges) == (False, 4, 0)
    assert facts.consistent_winding
    assert codes(facts) == {"open_edges"}


def test_an_inverted_open_box_is_not_turned() -> None:
    facts = measured(turned(cube()[2:]))
    assert not facts.inverted
    assert not facts.watertight


def test_one_turned_face_is_inconsistent() -> None:
    mesh = cube()
    mesh[0] = mesh[0][[0, 2, 1]]
    facts = measured(mesh)
    assert facts.watertight
    assert not facts.consistent_winding
    assert "winding" in codes(facts)


def test_bodies_apart_are_counted_and_those_sharing_a_corner_are_one() -> None:
    apart = np.concatenate([cube(), cube(at=(30, 0, 0))])
    assert measured(apart).bodies == 2
    assert codes(measured(apart)) == {"several_bodies"}
    assert measured(apart).euler == 4
    cornered = measured(np.concatenate([cube(), cube(at=(20, 20, 20))]))
    assert (cornered.bodies, cornered.watertight, cornered.euler) == (1, True, 3)


def test_cubes_sharing_an_edge_are_not_manifold() -> None:
    facts = measured(np.concatenate([cube(), cube(at=(20, 20, 0))]))
    assert (facts.non_manifold_edges, facts.open_edges, facts.bodies) == (1, 0, 1)
    assert (facts.watertight, facts.consistent_winding) == (False, True)
    assert "non_manifold_edges" in codes(facts)


def test_a_hollow_takes_away_and_is_told() -> None:
    facts = measured(np.concatenate([cube(20), turned(cube(10, at=(5, 5, 5)))]))
    assert (facts.volume_mm3, facts.bodies, facts.inverted) == (7_000, 2, False)
    assert codes(facts) == {"hollows"}


def test_a_wholly_inverted_hollow_part_is_turned() -> None:
    facts = measured(turned(np.concatenate([cube(20), turned(cube(10, at=(5, 5, 5)))])))
    assert (facts.volume_mm3, facts.inverted) == (7_000, True)
    assert codes(facts) == {"hollows", "inverted"}


def test_degenerate_triangles_count_for_nothing() -> None:
    line = np.array([[(0, 0, 0), (0, 0, 0), (20, 0, 0)]], dtype=np.float32)
    facts = measured(np.concatenate([cube(), line]))
    assert (facts.triangles, facts.degenerate, facts.watertight) == (13, 1, True)
    assert facts.euler == 2
    with pytest.raises(MeshRefused) as refused:
        measured(line)
    assert refused.value.code == "empty"


def test_minus_zero_is_zero() -> None:
    mesh = cube()
    mesh[::2][mesh[::2] == 0] = -0.0
    assert measured(mesh).watertight


def test_a_table_overhangs_by_its_top_and_stands_on_its_legs() -> None:
    legs = [cube(10, at=(x, y, 0)) for x in (0, 90) for y in (0, 90)]
    top = cube(100, at=(0, 0, 10.5)) * np.array([1, 1, 0.1], dtype=np.float32)
    facts = measured(np.concatenate([*legs, top + np.array([0, 0, 9.45], dtype=np.float32)]))
    assert facts.flat_base_area_mm2 == pytest.approx(400)
    assert facts.overhang_area_mm2 == pytest.approx(10_000)


@pytest.mark.parametrize(("angle_deg", "area_mm2"), [(44.0, 200.0), (45.0, 0.0), (46.0, 0.0)])
def test_a_cube_on_its_edge_overhangs_by_two_faces(angle_deg: float, area_mm2: float) -> None:
    """Two 10 × 10 mm faces lean exactly 45° down: at 45° they need no support, whatever the
    rounding of their corners says."""
    solid = trimesh.creation.box((10, 10, 10))
    half = np.sqrt(0.5)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[half, -half], [half, half]]
    solid.apply_transform(turn)
    solid.apply_translation((77.7, 88.8, 99.9))
    mesh = solid.triangles.astype(np.float32)
    assert overhang_area_mm2(mesh, angle_deg=angle_deg) == pytest.approx(area_mm2, rel=1e-4)


def test_far_from_the_origin_the_volume_stays() -> None:
    facts = measured(cube(20, at=(50_000, -50_000, 50_000)))
    assert facts.volume_mm3 == pytest.approx(8_000, rel=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -100_001.0])
def test_a_number_that_is_no_place_is_refused_by_triangle(value: float) -> None:
    mesh = np.concatenate([cube()] * 6_000)  # more than one block
    mesh[70_000, 1, 2] = value
    with pytest.raises(MeshRefused, match="triangle 70001 ") as refused:
        measured(mesh)
    assert refused.value.code == ("too_far" if np.isfinite(value) else "not_finite")


def test_a_size_that_was_hardly_meant_in_mm_is_asked_about() -> None:
    assert "unit_doubtful" in codes(measured(cube(0.9)))
    assert "unit_doubtful" not in codes(measured(cube(1.0)))
    assert "unit_doubtful" not in codes(measured(cube(2_000)))
    assert "unit_doubtful" in codes(measured(cube(2_001)))
    assert "unit_doubtful" not in codes(measured(cube(0.9), unit_source=UnitSource.FILE))


def test_a_sheet_is_flat() -> None:
    assert "flat" in codes(measured(cube()[:2]))


def test_the_canonical_mesh_stands_on_the_bed_and_leaves_the_given_one_alone() -> None:
    mesh = cube(20, at=(1, 2, -3))
    before = mesh.copy()
    placed = canonical(mesh, measured(mesh))
    assert placed[:, :, 2].min() == 0
    assert (mesh == before).all()


@pytest.mark.parametrize("seed", range(25))
def test_trimesh_agrees_on_random_solids(seed: int) -> None:
    mesh = random_solid(seed).triangles.astype(np.float32)
    witness = trimesh.Trimesh(
        mesh.reshape(-1, 3), np.arange(3 * len(mesh)).reshape(-1, 3), process=True
    )
    facts = measured(mesh)
    assert facts.volume_mm3 == pytest.approx(witness.volume, rel=1e-5)
    assert facts.area_mm2 == pytest.approx(witness.area, rel=1e-6)
    assert facts.watertight == witness.is_watertight
    assert facts.consistent_winding == witness.is_winding_consistent
    assert facts.euler == witness.euler_number
    assert facts.bodies == witness.body_count
    assert facts.size_x_um == pytest.approx(witness.extents[0] * 1_000, abs=1)


@pytest.mark.parametrize("seed", range(15))
def test_trimesh_agrees_on_random_damage(seed: int) -> None:
    chance = np.random.default_rng(seed)
    whole = np.concatenate([random_solid(seed + i).triangles for i in range(3)]).astype(np.float32)
    mesh = whole[1:][chance.random(len(whole) - 1) > 0.1]
    witness = trimesh.Trimesh(
        mesh.reshape(-1, 3), np.arange(3 * len(mesh)).reshape(-1, 3), process=True
    )
    edges, shared = np.unique(np.sort(witness.edges, axis=1), axis=0, return_counts=True)
    facts = measured(mesh)
    assert facts.open_edges == (shared == 1).sum()
    assert facts.non_manifold_edges == (shared > 2).sum()
    assert facts.euler == witness.euler_number
    pieces = trimesh.graph.connected_components(edges, nodes=np.unique(edges))
    assert facts.bodies == len(pieces)


def test_the_order_of_triangles_changes_nothing() -> None:
    mesh = random_solid(3).triangles.astype(np.float32)
    shuffled = np.random.default_rng(1).permutation(mesh)
    one, other = measured(mesh).to_json(), measured(shuffled).to_json()
    for name, value in one.items():
        expected = pytest.approx(value, rel=1e-6) if isinstance(value, float) else value
        assert other[name] == expected


def test_many_bodies_take_no_longer_than_one() -> None:
    at = np.stack(np.meshgrid(*[np.arange(20) * 3] * 3), axis=-1).reshape(-1, 1, 1, 3)
    mesh = (cube(2)[None] + at).reshape(-1, 3, 3).astype(np.float32)
    assert measured(mesh).bodies == 8_000


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60))
def test_components_are_those_of_a_plain_search(edges: list[tuple[int, int]]) -> None:
    one, other = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    label = components(41, one, other)
    groups = [{node} for node in range(41)]
    for a, b in edges:
        joined = next(g for g in groups if a in g) | next(g for g in groups if b in g)
        groups = [g for g in groups if not g & joined] + [joined]
    assert {frozenset(np.flatnonzero(label == root).tolist()) for root in set(label.tolist())} == {
        frozenset(group) for group in groups
    }
    assert all(label[root] == root for root in label)


@pytest.mark.parametrize("kind", ["chain", "shuffled chain", "star", "late star"])
def test_components_end_soon_on_awkward_shapes(kind: str) -> None:
    count = 200_000
    names = np.arange(count)
    if kind == "shuffled chain":
        names = np.random.default_rng(1).permutation(count)
    one, other = names[:-1], names[1:]
    if "star" in kind:
        one = np.full(count - 1, 0 if kind == "star" else count - 1)
        other = np.setdiff1d(np.arange(count), one[:1])
    assert len(set(components(count, one, other).tolist())) == 1


@settings(max_examples=50)
@given(st.integers(1, 64), st.integers(1, 500), st.integers(0, 2**32))
def test_the_quick_order_is_an_order(bits: int, count: int, seed: int) -> None:
    """Few bits make equal keys, many bits that differ low make keys that must be sorted twice."""
    keys = np.random.default_rng(seed).integers(
        0, 2**bits - 1, count, dtype=np.uint64, endpoint=True
    )
    order, found = _order(keys)
    assert (order == np.argsort(keys, kind="stable")).all()
    assert (found == np.sort(keys)).all()


def test_corners_are_welded_only_when_equal() -> None:
    mesh = np.random.default_rng(0).integers(-2, 3, (5_000, 3, 3)).astype(np.float32)
    ids, count = weld(mesh)
    _, expected = np.unique(mesh.reshape(-1, 3), axis=0, return_inverse=True)
    pairs = {(int(a), int(b)) for a, b in zip(ids.reshape(-1), expected.reshape(-1), strict=True)}
    assert len(pairs) == count == 125
    firsts = np.unique(ids, return_index=True)[1]
    assert (np.diff(firsts) > 0).all()  # numbered as they appear
