"""The sample designs: complete, honest about themselves, and printable without support."""

import importlib.util
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from designs.facts import MeshFacts, UnitSource, fits
from designs.licences import Openness, openness
from designs.manifest import find, read
from designs.mesh import facts_of
from designs.stl import read_stl, stl_pieces

SAMPLES = Path(__file__).parents[2] / "designs" / "samples"
NAMES = ("face-shield-headband", "hinge-box", "hose-coupling")
MESHES = {
    "face-shield-headband/meshes/headband.stl": {"bodies": 1, "base_mm2": 1500, "grams": 31.1},
    "hinge-box/meshes/hinge-box.stl": {"bodies": 2, "base_mm2": 3500, "grams": 18.0},
    "hose-coupling/meshes/coupling-13-10.stl": {"bodies": 1, "base_mm2": 45, "grams": 5.1},
    "hose-coupling/meshes/coupling-8-6.stl": {"bodies": 1, "base_mm2": 18, "grams": 1.4},
}
REQUIRED = ("okhv", "name", "repo", "license", "licensor", "function")
SMALL_BED_UM = (180_000, 180_000, 180_000)
SKIRT_UM = 6_500  # PrusaSlicer's own distance and one line

# The hinge's axis, as hinge-box.scad has it: x = 0, and halfway between the closed rims.
AXIS = np.array([0.0, 0.0, 13.35])
REACH_MM = 4.0  # from the axis to the walls
CLEARANCE_MM = 0.4


def manifest_of(name: str) -> dict[str, Any]:
    return tomllib.loads((SAMPLES / name / "okh.toml").read_text())


def facts(mesh: str) -> MeshFacts:
    corners = read_stl(memoryview((SAMPLES / mesh).read_bytes()), most_triangles=20_000)
    return facts_of(corners, unit="millimeter", unit_source=UnitSource.FORMAT)


def paths_in(value: object) -> Iterator[str]:
    """Every text in a manifest that must name a file: under these keys, at any depth."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key in {"source", "export", "readme", "manufacturing-instructions", "location"} or (
                key == "image" and isinstance(below, str)
            ):
                yield from [below] if isinstance(below, str) else below
            else:
                yield from paths_in(below)
    elif isinstance(value, list):
        for each in value:
            yield from paths_in(each)


def test_every_sample_is_tested() -> None:
    folders = {f.name for f in SAMPLES.iterdir() if f.is_dir() and not f.name.startswith("__")}
    assert folders == set(NAMES)
    assert {str(f.relative_to(SAMPLES)) for f in SAMPLES.rglob("*.stl")} == set(MESHES)


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_is_complete_and_names_files_that_exist(name: str) -> None:
    folder, manifest = SAMPLES / name, manifest_of(name)
    assert all(manifest[key] for key in REQUIRED)
    assert manifest["okhv"] == "2.4"
    named = set(paths_in(manifest))
    assert all((folder / path).is_file() for path in named)
    meshes = {f"meshes/{f.name}" for f in (folder / "meshes").iterdir()}
    assert {part["export"] for part in manifest["part"]} == set(manifest["export"]) == meshes
    # Nothing else lies around: what is pushed is the design.
    present = {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}
    assert present == named | {"okh.toml", "LICENSE"}


@pytest.mark.parametrize("name", NAMES)
def test_our_own_reader_finds_no_fault(name: str) -> None:
    folder = SAMPLES / name
    assert find(f.name for f in folder.iterdir()) == ["okh.toml"]

    def tree(path: str) -> str | None:
        return path if (folder / path).is_file() else None

    manifest = read(
        (folder / "okh.toml").read_bytes(), filename="okh.toml", tree=tree, repository_name=name
    )
    assert manifest.faults == ()
    assert len(manifest.parts) == len(list((folder / "meshes").iterdir()))


@pytest.mark.parametrize("name", NAMES)
def test_licence_manifest_and_readme_agree(name: str) -> None:
    licence = manifest_of(name)["license"]
    assert openness(licence).openness is Openness.OPEN
    text = (SAMPLES / name / "LICENSE").read_text()
    assert text.startswith(f"SPDX-License-Identifier: {licence}\n")
    assert "https://" in text
    readme = (SAMPLES / name / "README.md").read_text()
    assert f"Licence: {licence}" in readme


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_shows_the_picture_and_tells_how_to_print(name: str) -> None:
    readme = (SAMPLES / name / "README.md").read_text()
    assert "](picture.png)" in readme
    for word in ("Support:", "Nozzle 0.4 mm", "layers 0.2 mm", "infill", "## Change it", "do not"):
        assert word in readme
    picture = SAMPLES / name / "picture.png"
    assert picture.stat().st_size <= 150_000
    with Image.open(picture) as image:
        assert image.size == (1024, 768)
        assert len(image.getcolors(maxcolors=2**20) or []) > 500  # lit, not blank


@pytest.mark.parametrize("mesh", MESHES)
def test_a_mesh_is_a_closed_solid_that_stands_flat(mesh: str) -> None:
    expected, measured = MESHES[mesh], facts(mesh)
    assert (SAMPLES / mesh).stat().st_size < 1_000_000
    loaded = trimesh.load_mesh(SAMPLES / mesh)
    assert loaded.is_watertight
    assert loaded.is_winding_consistent
    assert loaded.body_count == measured.bodies == expected["bodies"]
    assert loaded.volume == pytest.approx(measured.volume_mm3, rel=1e-5)
    assert measured.volume_mm3 > 0
    assert not measured.inverted
    assert measured.degenerate == 0
    assert measured.min_z_um == 0
    assert measured.flat_base_area_mm2 > expected["base_mm2"]


@pytest.mark.parametrize("mesh", MESHES)
def test_a_mesh_needs_no_support_and_a_small_printer(mesh: str) -> None:
    """Nothing leans over 45 degrees but slivers left by rounding, smaller than one dot of plastic;
    and a skirt still fits around the part on a bed of 180 × 180 mm."""
    measured = facts(mesh)
    assert measured.overhang_area_mm2 < 0.01
    size_um = (measured.size_x_um, measured.size_y_um, measured.size_z_um)
    assert fits(size_um, SMALL_BED_UM, margin_um=SKIRT_UM).turn_deg == 0


@pytest.mark.parametrize("mesh", MESHES)
def test_the_manifest_states_the_size_of_the_mesh(mesh: str) -> None:
    name, _, export = mesh.partition("/")
    part = next(p for p in manifest_of(name)["part"] if p["export"] == export)
    measured, stated = facts(mesh), part["outer-dimensions"]
    size_mm = [n / 1000 for n in (measured.size_x_um, measured.size_y_um, measured.size_z_um)]
    assert [stated["width"], stated["depth"], stated["height"]] == pytest.approx(size_mm, abs=0.1)
    assert part["mass"] == MESHES[mesh]["grams"]


@pytest.mark.parametrize("opening_deg", [180, 150, 110, 70, 30, 0])
def test_the_lid_turns_freely_on_its_hinge(opening_deg: int) -> None:
    """Wherever the lid stands, its knuckles and cones keep their distance from the box: the
    distance from points all over them to the nearest of the box's triangles."""
    halves = trimesh.load_mesh(SAMPLES / "hinge-box/meshes/hinge-box.stl").split()
    closest_point: Any = trimesh.triangles.closest_point
    box, lid = sorted(halves, key=lambda half: float(half.bounds[0][0]))
    points = np.asarray(trimesh.sample.sample_surface(lid, 60_000, seed=1)[0])
    points = np.concatenate([points, lid.vertices])
    points = points[points[:, 0] < REACH_MM - 0.5]  # on a knuckle, away from the lid's own rim
    assert len(points) > 3_000
    turn = Rotation.from_euler("y", opening_deg - 180, degrees=True)
    points = turn.apply(points - AXIS) + AXIS
    corners = np.asarray(box.triangles)
    near = corners[corners[:, :, 0].max(axis=1) > -REACH_MM - 0.1]
    least = np.inf
    for triangle in near:
        reached = np.linalg.norm(points - triangle.mean(axis=0), axis=1)
        radius = np.linalg.norm(triangle - triangle.mean(axis=0), axis=1).max()
        some = points[reached < radius + 1]
        if len(some):
            nearest = closest_point(np.tile(triangle, (len(some), 1, 1)), some)
            least = min(least, float(np.linalg.norm(nearest - some, axis=1).min()))
    assert CLEARANCE_MM - 0.05 <= least <= CLEARANCE_MM + 0.1


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """The script that makes the samples; it lies beside them and in no package."""
    spec = importlib.util.spec_from_file_location("build_samples", SAMPLES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(shutil.which("openscad") is None, reason="openscad is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_the_meshes_are_what_the_source_makes(build: ModuleType, name: str) -> None:
    sample = build.SAMPLES[name]
    mesh = sample.meshes[-1]
    corners = build.openscad(SAMPLES / name / sample.source, mesh.values).astype(np.float32)
    made = b"".join(stl_pieces(corners))
    assert (SAMPLES / name / "meshes" / f"{mesh.name}.stl").read_bytes() == made


@pytest.mark.skipif(shutil.which("openscad") is None, reason="openscad is not installed")
def test_impossible_parameters_are_refused_with_the_reason(build: ModuleType) -> None:
    source = SAMPLES / "hose-coupling" / "coupling.scad"
    with pytest.raises(RuntimeError, match="the wider hose belongs to the lower end"):
        build.openscad(source, {"lower_hose": 6, "upper_hose": 8})


JOB = """printer_technology = FFF
gcode_flavor = marlin
bed_shape = 0x0,180x0,180x180,0x180
max_print_height = 180
nozzle_diameter = 0.4
filament_diameter = 1.75
filament_density = 1.24
filament_type = PLA
temperature = 210
first_layer_temperature = 210
layer_height = 0.2
first_layer_height = 0.2
fill_density = 20%
perimeters = 3
support_material = 0
post_process =
"""


@pytest.mark.slicer
@pytest.mark.skipif(shutil.which("prusa-slicer") is None, reason="prusa-slicer is not installed")
@pytest.mark.parametrize("mesh", MESHES)
def test_a_real_slicer_agrees_with_the_stated_mass(mesh: str, tmp_path: Path) -> None:
    job, gcode = tmp_path / "job.ini", tmp_path / "out.gcode"
    job.write_text(JOB)
    command = ["prusa-slicer", "-g", "--load", str(job), "--post-process", "", "--loglevel", "1"]
    done = subprocess.run(
        [*command, "-o", str(gcode), str(SAMPLES / mesh)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()
    stated = re.search(r"^; filament used \[g\] = ([\d.]+)$", gcode.read_text(), re.MULTILINE)
    assert stated is not None
    assert float(stated[1]) == pytest.approx(MESHES[mesh]["grams"], rel=0.05)
