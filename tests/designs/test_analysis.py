"""The child that measures: real files, real walls, and every way a file can end it."""

import gzip
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from basis.jail import How
from designs.analysis import WHY, Measured, Refused, measure
from designs.facts import FileLimits
from tests.support.meshes import RELATIONS, binary_stl, cube, text_stl, threemf, turned

CUBE = binary_stl(cube(20, at=(1, 2, 3)))
FACETS = text_stl(cube()).encode().split(b"\n", 1)[1].rsplit(b"endsolid", 1)[0]
SLOW = b"solid slow\n" + FACETS * 100_000 + b"endsolid slow\n"


def test_a_mesh_comes_back_with_facts_a_canonical_stl_and_a_picture(tmp_path: Path) -> None:
    [part] = measure([("cube.stl", CUBE)], folder=tmp_path / "job")
    assert isinstance(part, Measured)
    assert (part.facts.volume_mm3, part.facts.watertight) == (8_000, True)
    assert part.facts.min_z_um == 3_000
    expected = binary_stl(cube(20, at=(1, 2, 0)))
    written = part.stl.read_bytes()
    assert len(written) == len(expected)
    for place in range(84, len(written), 50):  # all but the normals, which ours has
        assert written[place + 12 : place + 50] == expected[place + 12 : place + 50]
    assert part.picture is not None
    with Image.open(part.picture) as image:
        assert image.size == (512, 512)
    assert sorted(path.name for path in part.stl.parent.iterdir()) == [
        "0.glb.gz",
        "0.png",
        "0.stl",
    ]
    assert part.model is not None
    assert gzip.decompress(part.model.read_bytes())[:4] == b"glTF"


def test_files_are_taken_from_disk_and_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "source.stl"
    source.write_bytes(CUBE)
    source.chmod(0o444)
    [part] = measure([("any.stl", source)], folder=tmp_path / "job")
    assert isinstance(part, Measured)
    assert source.read_bytes() == CUBE


def test_good_and_bad_files_of_a_batch_keep_their_order(tmp_path: Path) -> None:
    answers = measure(
        [
            ("a.stl", CUBE),
            ("b.stl", CUBE[:-1]),
            ("../../c\n.3mf", threemf("")),
            ("d.stl", b""),
            ("e.weird\0ending", b"x"),
            ("f.stl", binary_stl(turned(cube()))),
        ],
        folder=tmp_path,
    )
    assert [getattr(each, "code", "fine") for each in answers] == [
        "fine",
        "cut_off",
        "bad_xml",
        "empty",
        "unknown_format",
        "fine",
    ]
    assert [each.name for each in answers][2] == "../../c\n.3mf"
    last = answers[5]
    assert isinstance(last, Measured)
    assert last.facts.inverted
    [again] = measure([("f.stl", last.stl)], folder=tmp_path / "again")
    assert isinstance(again, Measured)
    assert not again.facts.inverted


def test_numbers_that_are_no_places_are_refused_and_nothing_of_them_is_left(tmp_path: Path) -> None:
    """Other readers drop such triangles in silence and measure the rest."""
    bad = [
        (f"{number}.stl", binary_stl(np.where(cube() > 0, np.float32(value), 0)))
        for number, value in enumerate((np.nan, np.inf, 1e30))
    ]
    answers = measure(bad, folder=tmp_path)
    assert [getattr(each, "code", "fine") for each in answers] == [
        *("not_finite", "not_finite", "too_far")
    ]
    assert all("triangle 1 " in getattr(each, "text", "") for each in answers)
    assert not list(tmp_path.rglob("*.stl"))


def test_a_part_without_a_face_to_be_seen_has_facts_and_no_picture(tmp_path: Path) -> None:
    """A sliver thinner than a pixel."""
    mesh = cube(1) * 500
    mesh[:, :, :2] *= 1e-4
    [part] = measure([("wire.stl", binary_stl(mesh))], folder=tmp_path)
    assert isinstance(part, Measured)
    assert (part.picture is None) == ("not_drawn" in {w.code for w in part.facts.warnings})


def test_a_slow_file_is_refused_and_its_neighbours_are_measured(tmp_path: Path) -> None:
    answers = measure(
        [("a.stl", CUBE), ("slow.stl", SLOW), ("b.stl", CUBE)], folder=tmp_path, cpu_s=2
    )
    assert isinstance(answers[0], Measured)
    assert isinstance(answers[2], Measured)
    assert isinstance(answers[1], Refused)
    assert (answers[1].name, answers[1].code) == ("slow.stl", "too_slow")


def zip_bomb() -> bytes:
    """300 MB of XML in 300 KB."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("_rels/.rels", RELATIONS)
        with package.open("3D/3dmodel.model", "w") as model:
            model.write(b"<model a='")
            for _ in range(300):
                model.write(b" " * 1_000_000)
    return file.getvalue()


def test_a_zip_bomb_is_refused_by_its_size_and_by_its_tag(tmp_path: Path) -> None:
    bomb = zip_bomb()
    [refused] = measure([("a.3mf", bomb)], folder=tmp_path / "one")
    assert isinstance(refused, Refused)
    assert refused.code == "zip_bomb"
    [refused] = measure(
        [("a.3mf", bomb)], folder=tmp_path / "two", file_limits=FileLimits(inflated_bytes=10**12)
    )
    assert isinstance(refused, Refused)
    assert refused.code == "bad_xml"  # an endless tag


def test_too_little_memory_is_too_complex(tmp_path: Path) -> None:
    mesh = binary_stl(cube())[84:]
    many = b"\0" * 80 + (12 * 100_000).to_bytes(4, "little") + mesh * 100_000
    [refused] = measure([("a.stl", many)], folder=tmp_path, memory_bytes=200_000_000)
    assert isinstance(refused, Refused)
    assert refused.code == "too_complex"


def test_every_end_of_a_child_has_a_word() -> None:
    assert set(WHY) == set(How) - {How.OK}


def test_nothing_to_measure_starts_nothing(tmp_path: Path) -> None:
    assert measure([], folder=tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
