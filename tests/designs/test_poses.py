"""How a part can lie: solids whose answer is known on paper."""

import json
from dataclasses import replace

import numpy as np
import pytest

from basis.errors import Invalid
from basis.turning import rotation, turned
from designs.facts import MeshFacts, Pose, UnitSource, pose_of, posed
from designs.mesh import canonical, facts_of
from designs.poses import MOST_TRIANGLES, SIDES, facets, poses_of
from tests.support.solids import ball, box, cone


def known(corners: np.ndarray) -> dict[str, Pose]:
    return {each.name: each for each in poses_of(corners.astype(np.float32))}


def facts(corners: np.ndarray) -> MeshFacts:
    mesh = corners.astype(np.float32)
    found = facts_of(mesh, unit="millimeter", unit_source=UnitSource.FORMAT)
    return replace(found, poses=poses_of(canonical(mesh, found)))


@pytest.mark.parametrize(
    "down", [*SIDES.values(), (1.0, 1.0, 1.0), (0.3, -0.2, 0.9), (0.0, 1e-9, 1.0), (0.6, 0.8, 0.0)]
)
def test_a_turn_keeps_lengths_and_hands_and_brings_the_side_down(
    down: tuple[float, float, float],
) -> None:
    turn = rotation(down)
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    unit = np.array(down) / np.linalg.norm(down)
    assert np.allclose(turn @ unit, (0, 0, -1), atol=1e-8)


def test_the_six_axes_are_turned_exactly() -> None:
    for down in SIDES.values():
        assert set(np.abs(rotation(down)).reshape(-1)) == {0.0, 1.0}


def test_a_box_has_its_sizes_on_every_side_and_lies_best_on_its_largest() -> None:
    sides = known(box(10, 20, 30))
    size = {name: (each.size_x_um, each.size_y_um, each.size_z_um) for name, each in sides.items()}
    assert size["bottom"] == size["top"] == (10_000, 20_000, 30_000)
    assert size["left"][2] == size["right"][2] == 10_000
    assert size["front"][2] == size["back"][2] == 20_000
    assert {each.overhang_area_mm2 for each in sides.values()} == {0.0}
    assert sides["best"].size_z_um == 10_000
    assert sides["best"].flat_base_area_mm2 == pytest.approx(600)


def test_a_cone_on_its_tip_is_best_turned_over() -> None:
    over = np.asarray(cone(10, 20))
    up = turned(over, (0.0, 0.0, 1.0))
    standing, tipped = known(up), known(over)
    assert standing["best"].down == (0.0, 0.0, -1.0)
    assert tipped["bottom"].overhang_area_mm2 > 0 or tipped["bottom"].flat_base_area_mm2 == 0
    assert tipped["best"].overhang_area_mm2 == standing["bottom"].overhang_area_mm2
    assert tipped["best"].flat_base_area_mm2 == pytest.approx(
        standing["bottom"].flat_base_area_mm2, rel=1e-3
    )


def test_a_leaning_box_is_set_on_a_facet_that_is_no_axis() -> None:
    """The six axes alone would not find it: it leans by 30° about x and 20° about y."""
    leaning = turned(turned(np.asarray(box(10, 20, 40)), (0.0, 0.5, -0.87)), (0.34, 0.0, -0.94))
    best = known(leaning)["best"]
    assert best.overhang_area_mm2 == pytest.approx(0, abs=0.1)
    assert best.flat_base_area_mm2 == pytest.approx(800, rel=1e-3)
    assert best.size_z_um == pytest.approx(10_000, abs=10)


def test_as_modelled_wins_a_tie_and_a_ball_stays_as_it_is() -> None:
    assert known(box(10, 10, 10))["best"].down == (0.0, 0.0, -1.0)
    around = np.asarray(ball(10, rings=12, sides=24))
    assert known(around)["best"].name == "best"


def test_a_flat_mesh_has_no_hull() -> None:
    flat = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], dtype=np.float32)
    assert facets(flat) == []


def test_facts_know_the_turned_part_and_survive_json() -> None:
    lying = facts(np.asarray(box(10, 20, 30)))
    again = MeshFacts.from_json(json.loads(json.dumps(lying.to_json())))
    assert again == lying
    left = posed(again, "left")
    assert (left.size_z_um, left.volume_mm3) == (10_000, again.volume_mm3)
    assert pose_of(again, "as_modelled") is None
    assert posed(again, "as_modelled") is again
    old = {key: value for key, value in again.to_json().items() if key != "poses"}
    measured_before = MeshFacts.from_json(old)
    assert measured_before.poses == ()
    assert posed(measured_before, "as_modelled") == measured_before
    with pytest.raises(Invalid, match="cannot be turned"):
        posed(measured_before, "best")
    with pytest.raises(Invalid):
        posed(again, "sideways")


@pytest.mark.parametrize("down", [[0, 0], [0.0, 0.0, 0.0], [9.0, 0.0, 0.0], ["x", 0.0, 0.0]])
def test_a_direction_that_is_none_is_refused(down: list[object]) -> None:
    plain = facts(np.asarray(box(1, 2, 3))).to_json()
    plain["poses"][0]["down"] = down
    with pytest.raises(Invalid):
        MeshFacts.from_json(plain)


def test_a_very_large_mesh_is_made_as_it_was_modelled_only() -> None:
    few = np.asarray(box(10, 20, 30), dtype=np.float32)
    many = np.tile(few, (MOST_TRIANGLES // len(few) + 1, 1, 1))
    assert poses_of(many) == ()
    assert len(poses_of(few)) == 7
