"""Reading mesh files: good ones in every dialect, and every kind of bad one by its name."""

import struct
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.facts import FileLimits, UnitSource
from designs.mesh import MeshRefused, facts_of
from designs.readers import Read, read
from designs.stl import stl_pieces
from tests.support.meshes import (
    CUBE_FACES,
    CUBE_POINTS,
    Mesh,
    binary_stl,
    cube,
    mesh_xml,
    model_xml,
    obj,
    tetra,
    text_stl,
    threemf,
)

LIMITS = FileLimits()
PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"


def opened(name: str, content: bytes | str, limits: FileLimits = LIMITS) -> Read:
    data = content.encode() if isinstance(content, str) else content
    return read(name, memoryview(data), limits=limits)


def refusal(name: str, content: bytes | str, limits: FileLimits = LIMITS) -> MeshRefused:
    with pytest.raises(MeshRefused) as refused:
        opened(name, content, limits)
    assert len(str(refused.value)) > 20, "a refusal is a sentence"
    return refused.value


def volume_mm3(mesh: Mesh) -> float:
    return facts_of(mesh, unit="millimeter", unit_source=UnitSource.FILE).volume_mm3


# STL


def test_a_binary_stl_is_known_by_its_size_whatever_its_head_says() -> None:
    for head in (b"", b"solid part", b"SOLID", b"facet normal"):
        assert (opened("a.STL", binary_stl(cube(), head=head)).corners == cube()).all()
    found = opened("a.stl", binary_stl(cube()))
    assert (found.unit, found.unit_source) == ("millimeter", UnitSource.FORMAT)


def test_what_we_write_is_read_by_others_and_by_us() -> None:
    mesh = np.concatenate([cube(3), tetra(5)])
    written = b"".join(stl_pieces(mesh))
    assert (opened("a.stl", written).corners == mesh).all()
    witness = trimesh.load_mesh(trimesh.util.wrap_as_stream(written), file_type="stl")
    assert witness.volume == pytest.approx(27 + 125 / 6)
    assert not written.startswith(b"solid")
    first = struct.unpack_from("<3f", written, 84)
    assert first == (-1, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("  ", "\t \t"),
        lambda text: "\ufeff\n\n" + text,
        lambda text: text.replace("solid part", "solid"),
        lambda text: text.replace("solid part", "solid facet endfacet vertex 1 2"),
        lambda text: text.replace("solid part", "solid a_b-ü"),
        lambda text: text + text,
        lambda text: text.replace("20.0", "+2.0E+1"),
    ],
)
def test_a_text_stl_is_read_in_every_dialect(change: object) -> None:
    text = text_stl(cube())
    changed = change(text)  # type: ignore[operator]
    corners = opened("a.stl", changed).corners
    assert (corners[:12] == cube()).all()
    assert len(corners) == 12 * (1 + (changed == text + text))


def test_text_and_binary_are_equal_to_the_last_bit() -> None:
    mesh = np.random.default_rng(0).normal(0, 50, (40_000, 3, 3)).astype(np.float32)
    text = text_stl(mesh)
    assert len(text) > 2 * 4_000_000  # several blocks
    assert (opened("a.stl", text).corners == mesh).all()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (bytes(84), "empty"),
        (b"short", "cut_off"),
        (np.random.default_rng(0).bytes(1_000_000), "cut_off"),
        (binary_stl(cube())[:-1], "cut_off"),
        (binary_stl(cube()) + b"x", "wrong_count"),
        (binary_stl(cube(), count=13), "cut_off"),
        (binary_stl(cube(), count=11), "wrong_count"),
        (binary_stl(cube(), count=2**32 - 1), "cut_off"),
        ("solid\nendsolid\n", "empty"),
        ("solid\n", "cut_off"),
        (text_stl(cube()).replace("20.0", "nan", 1), "not_finite"),
        (text_stl(cube()).replace("20.0", "-inf", 1), "not_finite"),
        (text_stl(cube()).replace("20.0", "1e999", 1), "not_finite"),
        (text_stl(cube()).replace("20.0", "1e30", 1), "too_far"),
        (text_stl(cube()).replace("20.0", "1e300", 1), "too_far"),
        (text_stl(cube()).replace("20.0 0.0 0.0", "x y z", 1), "not_a_number"),
        (text_stl(cube()).replace("20.0", "2_0.0", 1), "not_a_number"),
        (text_stl(cube()).replace("20.0", "2,0", 1), "not_a_number"),
        (text_stl(cube()).replace("vertex", "vertox", 1), "bad_facet"),
        (text_stl(cube()).replace("endloop", "", 1), "bad_facet"),
        (text_stl(cube()).replace("vertex 0.0", "vertex", 1), "bad_facet"),
        (text_stl(cube()).replace("outer", "color 1 2 3 outer", 1), "bad_facet"),
        (text_stl(cube()).replace("endsolid part", "the end"), "cut_off"),
    ],
)
def test_a_bad_stl_is_refused_by_name(content: bytes | str, code: str) -> None:
    assert refusal("a.stl", content).code == code


def test_a_bad_facet_is_named() -> None:
    text = text_stl(np.concatenate([cube()] * 4_000))
    place = text.rfind("vertex")
    assert "facet 48000 " in str(refusal("a.stl", text[:place] + "vortex" + text[place + 6 :]))


def test_an_endless_line_is_no_stl() -> None:
    assert refusal("a.stl", b"solid " + b"x" * 17_000_000).code == "no_facet"
    assert refusal("a.stl", b"solid " + b"endfacet " * 2_000_000).code == "no_facet"


def test_many_solids_take_time_in_proportion() -> None:
    """Loaders that start again at every `solid` take minutes for this."""
    text = "".join(text_stl(tetra()[:1], name=f"s{i}") for i in range(40_000))
    started = time.process_time()
    assert len(opened("a.stl", text).corners) == 40_000
    assert time.process_time() - started < 15


TEXT, BINARY = text_stl(cube()).encode(), binary_stl(cube())


@given(st.integers(0, len(BINARY) - 1))
def test_a_binary_stl_cut_anywhere_is_refused(length: int) -> None:
    refusal("a.stl", BINARY[:length])


@given(st.integers(0, len(TEXT) - 1))
def test_a_text_stl_cut_anywhere_is_refused_or_whole(length: int) -> None:
    if len(TEXT[:length]) > TEXT.rindex(b"endsolid") + 7:
        assert len(opened("a.stl", TEXT[:length]).corners) == 12
    else:
        refusal("a.stl", TEXT[:length])


# OBJ


def test_an_obj_is_read() -> None:
    found = opened("a.obj", obj(CUBE_POINTS * 20, CUBE_FACES))
    assert volume_mm3(found.corners) == 8_000
    assert found.unit_source is UnitSource.FORMAT


def test_an_obj_may_hold_more_than_shape() -> None:
    text = """# made by hand
mtllib ../../etc/passwd
o part
v -1 -1 0 0.5 0.5 0.5
v\t1 -1 0
v 1 1 0 1.0  # weight
v -1 1 \\
  0
vt 0 0
vn 0 0 1
usemtl steel
s off
f 1/1/1 2/1/1 3//1 4
l 1 2
f -4 -3 -2
"""
    corners = opened("a.obj", text.replace("\n", "\r\n")).corners
    assert corners.shape == (3, 3, 3)
    assert corners[1].tolist() == [[-1, -1, 0], [1, 1, 0], [-1, 1, 0]]
    assert (corners[0] == corners[2]).all()


def test_a_polygon_of_many_corners_becomes_a_fan() -> None:
    angles = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1) * 10
    corners = opened("a.obj", obj(ring, np.arange(20_000)[None])).corners
    assert len(corners) == 19_998
    facts = facts_of(corners, unit="millimeter", unit_source=UnitSource.FILE)
    assert facts.area_mm2 == pytest.approx(100 * np.pi, rel=1e-6)


GOOD_OBJ = obj(CUBE_POINTS, CUBE_FACES)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "empty"),
        (GOOD_OBJ + "f 1 2 1000000000\n", "bad_index"),
        (GOOD_OBJ + "f 1 2 99999999999999999999999999\n", "bad_index"),
        (GOOD_OBJ + "f 1 2 9999999999999999999\n", "bad_index"),
        (GOOD_OBJ + "f 1 2 -999\n", "bad_index"),
        (GOOD_OBJ + "f 1 2 0\n", "bad_index"),
        (GOOD_OBJ + "f 1 2 9\n", "bad_index"),
        (GOOD_OBJ + "f 1 2\n", "bad_index"),
        (GOOD_OBJ + "f 1 2 x\n", "bad_index"),
        (GOOD_OBJ + "f 1 2 1_0\n", "bad_index"),
        (GOOD_OBJ + "f 1 2 3.0\n", "bad_index"),
        (GOOD_OBJ + "v 1 2\n", "not_a_number"),
        (GOOD_OBJ + "v 1 2 x\n", "not_a_number"),
        (GOOD_OBJ + "v 1 2 1_0\n", "not_a_number"),
        (GOOD_OBJ + "curv2 1 2 3\n", "unsupported"),
        (GOOD_OBJ + "\x00\x01\x02\n", "bad_line"),
        (GOOD_OBJ + "v nan 0 0\nf 1 2 9\n", "not_finite"),
        (GOOD_OBJ + "v 1e999 0 0\nf 1 2 9\n", "not_finite"),
        (GOOD_OBJ + "v 1e30 0 0\nf 1 2 9\n", "too_far"),
        (GOOD_OBJ + "v 1e300 0 0\nf 1 2 9\n", "too_far"),
        ("x" * 17_000_000, "bad_line"),
        ("v 0 0 0 \\\n" * 10, "empty"),
    ],
)
def test_a_bad_obj_is_refused_by_name(content: str, code: str) -> None:
    assert refusal("a.obj", content).code == code


def test_a_wild_corner_that_no_face_uses_is_left_aside() -> None:
    assert volume_mm3(opened("a.obj", GOOD_OBJ + "v nan 1e300 0\n").corners) == 1


def test_a_line_and_a_triangle_are_named() -> None:
    assert "line 9 " in str(refusal("a.obj", GOOD_OBJ.replace("f 1 2 4", "f 1", 1)))
    assert "triangle 13 " in str(refusal("a.obj", GOOD_OBJ + "f 1 2 99\n"))


@given(st.integers(0, len(GOOD_OBJ) - 1))
def test_an_obj_cut_anywhere_never_breaks_the_reader(length: int) -> None:
    """An OBJ has no end mark: what was cut between two faces is an open part, and told as one."""
    try:
        found = opened("a.obj", GOOD_OBJ[:length])
    except MeshRefused:
        return
    assert 0 < len(found.corners) <= 12


# 3MF


def test_a_3mf_is_read_in_its_unit() -> None:
    for unit, side_mm in (("millimeter", 1), ("inch", 25.4), ("micron", 0.001), ("meter", 1_000)):
        found = opened("a.3mf", threemf(model_xml(attributes=f'unit="{unit}"')))
        assert volume_mm3(found.corners) == pytest.approx(side_mm**3, rel=1e-5, abs=1e-6)
        assert (found.unit, found.unit_source) == (unit, UnitSource.FILE)
    assert opened("a.3mf", threemf(model_xml(attributes=""))).unit == "millimeter"


def test_a_build_places_copies_moved_turned_and_mirrored() -> None:
    build = (
        '<item objectid="1"/><item objectid="1" transform="2 0 0 0 2 0 0 0 2 10 0 0"/>'
        '<item objectid="1" transform="-1 0 0 0 1 0 0 0 1 30 0 0"/>'
    )
    corners = opened(
        "a.3mf", threemf(model_xml(build=build, attributes='unit="centimeter"'))
    ).corners
    facts = facts_of(corners, unit="centimeter", unit_source=UnitSource.FILE)
    assert facts.volume_mm3 == pytest.approx((1 + 8 + 1) * 1_000)
    assert (facts.bodies, facts.consistent_winding, facts.min_x_um) == (3, True, 0)
    assert facts.size_x_um == 300_000
    assert facts.warnings[0].code == "several_bodies"  # none is taken for a hollow


def test_components_are_moved_inside_of_each_other() -> None:
    resources = (
        f'<object id="1">{mesh_xml()}</object>'
        '<object id="2"><components><component objectid="1"/>'
        '<component objectid="1" transform="1 0 0 0 1 0 0 0 1 5 0 0"/></components></object>'
        '<object id="3"><components><component objectid="2"'
        ' transform="0 1 0 -1 0 0 0 0 1 0 0 3"/></components></object>'
    )
    model = model_xml(resources, '<item objectid="3" transform="1 0 0 0 1 0 0 0 1 0 100 0"/>')
    corners = opened("a.3mf", threemf(model)).corners
    assert corners.shape == (24, 3, 3)
    # x goes to y by the turn: two cubes from y 100 to 106, x from −1 to 0, z from 3 to 4.
    assert corners.min(axis=(0, 1)).tolist() == [-1, 100, 3]
    assert corners.max(axis=(0, 1)).tolist() == [0, 106, 4]


def test_objects_that_are_no_part_are_left_out() -> None:
    resources = (
        f'<object id="1">{mesh_xml()}</object><object id="2" type="support">{mesh_xml()}</object>'
    )
    model = model_xml(resources, '<item objectid="1"/><item objectid="2"/>')
    assert len(opened("a.3mf", threemf(model)).corners) == 12


def test_objects_may_lie_in_other_files_of_the_package() -> None:
    part = model_xml(build="", attributes='unit="millimeter"')
    start = model_xml(
        '<object id="9"><components><component p:path="/3D/Objects/part.model" objectid="1"/>'
        "</components></object>",
        '<item objectid="9"/>',
        attributes=f'unit="millimeter" requiredextensions="p" xmlns:p="{PRODUCTION}"',
    )
    package = threemf(start, others={"3D/Objects/part.model": part})
    assert volume_mm3(opened("a.3mf", package).corners) == 1
    assert refusal("a.3mf", threemf(start)).code == "no_model"


def tree(depth: int, wide: int, *, leaf: str = "") -> str:
    """Objects that hold `wide` copies of the next: wide ** depth meshes in a few lines."""
    parts = [f'<object id="0">{leaf or mesh_xml()}</object>']
    for level in range(1, depth + 1):
        copies = f'<component objectid="{level - 1}"/>' * wide
        parts.append(f'<object id="{level}"><components>{copies}</components></object>')
    return model_xml("".join(parts), f'<item objectid="{depth}"/>')


EMPTY_MESH = "<mesh><vertices/><triangles/></mesh>"
LAUGHS = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
OUTSIDE = '<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (tree(8, 10), "too_many_instances"),
        (tree(8, 10, leaf=EMPTY_MESH), "too_many_instances"),
        (tree(200, 1), "too_deep"),
        (
            model_xml(
                '<object id="1"><components><component objectid="2"/></components></object>'
                '<object id="2"><components><component objectid="1"/></components></object>'
            ),
            "component_loop",
        ),
        (model_xml(build=""), "empty"),
        (model_xml(f'<object id="1">{EMPTY_MESH}</object>'), "empty"),
        (model_xml(build='<item objectid="7"/>'), "bad_index"),
        (model_xml(before=LAUGHS), "doctype"),
        (model_xml(before=OUTSIDE), "doctype"),
        (model_xml(attributes='unit="furlong"'), "bad_unit"),
        (model_xml(attributes='requiredextensions="x" xmlns:x="http://beams"'), "unsupported"),
        (model_xml()[:-20], "bad_xml"),
        ("", "bad_xml"),
        ("<model/>", "no_model"),
        (model_xml().replace('v1="0"', 'v1="4000000000"', 1), "bad_index"),
        (model_xml().replace('v1="0"', 'v1="-1"', 1), "bad_index"),
        (model_xml().replace('v1="0"', 'v1="1' + "0" * 30 + '"', 1), "bad_index"),
        (model_xml().replace('v1="0"', 'v1="0.5"', 1), "bad_index"),
        (model_xml().replace('v1="0"', "", 1), "bad_xml"),
        (model_xml().replace('x="1.0"', 'x="1_0"', 1), "not_a_number"),
        (model_xml().replace('x="1.0"', 'x="one"', 1), "not_a_number"),
        (model_xml().replace('x="1.0"', 'x="NaN"', 1), "not_finite"),
        (model_xml().replace('x="1.0"', 'x="1e999"', 1), "not_finite"),
        (model_xml().replace('x="1.0"', 'x="1e30"', 1), "too_far"),
        (model_xml(build='<item objectid="1" transform="1 0 0"/>'), "bad_transform"),
        (
            model_xml(build='<item objectid="1" transform="nan 0 0 0 1 0 0 0 1 0 0 0"/>'),
            "bad_transform",
        ),
        (
            model_xml(build='<item objectid="1" transform="1 0 0 0 0 0 0 0 1 0 0 0"/>'),
            "bad_transform",
        ),
        (
            model_xml(build='<item objectid="1" transform="x 0 0 0 1 0 0 0 1 0 0 0"/>'),
            "not_a_number",
        ),
        (model_xml(f'<object id="1">{mesh_xml()}</object>' * 2), "bad_xml"),
        (model_xml(f'<object id="1">{mesh_xml() * 2}</object>'), "bad_xml"),
    ],
)
def test_a_bad_3mf_is_refused_by_name(model: str, code: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refusal("a.3mf", threemf(model)).code == code


def test_a_doctype_in_another_encoding_is_one_too() -> None:
    model = model_xml(before=LAUGHS).replace("UTF-8", "UTF-16")
    package = threemf(model_xml(), others={})
    assert opened("a.3mf", package)
    written = threemf(model.encode("utf-16"))  # type: ignore[arg-type]
    assert refusal("a.3mf", written).code == "doctype"


@pytest.mark.parametrize("name", ["../../x", "/abs", "a\\b", "a/../../b"])
def test_a_3mf_with_a_dangerous_name_is_refused(name: str) -> None:
    assert refusal("a.3mf", threemf(model_xml(), others={name: "x"})).code == "unsafe_name"


def test_a_zip_bomb_is_refused_by_what_it_declares() -> None:
    spaces = model_xml(before=" " * 3_000_000)
    limits = FileLimits(inflated_bytes=2_000_000)
    assert refusal("a.3mf", threemf(spaces), limits).code == "zip_bomb"
    beside = threemf(model_xml(), others={"thumb": "x" * 3_000_000})
    assert refusal("a.3mf", beside, limits).code == "zip_bomb"


def test_a_zip_bomb_that_lies_about_its_size_is_refused() -> None:
    model = model_xml(before="<!--" + " " * 3_000_000 + "-->").replace(
        '<?xml version="1.0" encoding="UTF-8"?>', ""
    )
    package = bytearray(threemf(model))
    true, small = (struct.pack("<I", size) for size in (len(model), 1_000))
    assert package.count(true) >= 2  # in the local head and in the directory
    lying = bytes(package).replace(true, small)
    limits = FileLimits(inflated_bytes=2_000_000)
    assert refusal("a.3mf", lying, limits).code in ("zip_bomb", "bad_zip")


def test_a_zip_of_very_many_files_is_refused() -> None:
    others = {f"f{i}": "" for i in range(1_001)}
    assert refusal("a.3mf", threemf(model_xml(), others=others)).code == "zip_bomb"


def test_what_is_no_3mf_package_is_refused() -> None:
    assert refusal("a.3mf", b"PK nothing").code == "bad_zip"
    assert refusal("a.3mf", bytes(100)).code == "bad_zip"
    no_model = threemf(model_xml()).replace(b"3D/3dmodel.model", b"3D/3dmodel.medal")
    assert refusal("a.3mf", no_model).code == "no_model"


GOOD_3MF = threemf(model_xml())


@given(st.integers(0, len(GOOD_3MF) - 1))
def test_a_3mf_cut_anywhere_is_refused(length: int) -> None:
    refusal("a.3mf", GOOD_3MF[:length])


@settings(max_examples=300)
@given(st.integers(0, len(GOOD_3MF) - 1), st.integers(1, 255))
def test_a_3mf_with_a_wrong_byte_never_breaks_the_reader(place: int, change: int) -> None:
    damaged = bytearray(GOOD_3MF)
    damaged[place] ^= change
    try:
        found = opened("a.3mf", bytes(damaged))
    except MeshRefused:
        return
    assert (found.corners == opened("a.3mf", GOOD_3MF).corners).all()


@settings(max_examples=300)
@given(st.binary(max_size=400), st.sampled_from(["stl", "obj", "3mf"]))
def test_any_bytes_are_refused_or_read(content: bytes, ending: str) -> None:
    for start in (b"", b"solid x\n", b"v 1 2 3\nf 1 1 1\n", b"PK\x03\x04"):
        try:
            opened(f"a.{ending}", start + content)
        except MeshRefused as refused:
            assert refused.code


# Limits


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.stl", binary_stl(cube())),
        ("a.stl", text_stl(cube()).encode()),
        ("a.obj", GOOD_OBJ.encode()),
        ("a.3mf", GOOD_3MF),
    ],
)
def test_limits_hold_on_both_sides(name: str, content: bytes) -> None:
    assert len(opened(name, content, FileLimits(triangles=12)).corners) == 12
    assert refusal(name, content, FileLimits(triangles=11)).code == "too_many_triangles"
    assert opened(name, content, FileLimits(file_bytes=len(content)))
    assert refusal(name, content, FileLimits(file_bytes=len(content) - 1)).code == "too_big"


def test_copies_count_against_both_limits() -> None:
    package = threemf(model_xml(build='<item objectid="1"/>' * 10))
    assert len(opened("a.3mf", package, FileLimits(instances=10)).corners) == 120
    assert refusal("a.3mf", package, FileLimits(instances=9)).code == "too_many_instances"
    assert refusal("a.3mf", package, FileLimits(triangles=119)).code == "too_many_triangles"


PLY = b"ply\nformat binary_little_endian 1.0\nelement vertex 4000000000\nend_header\n"
GLTF = b'{"asset":{"version":"2.0"},"buffers":[{"uri":"../../etc/passwd","byteLength":9}]}'
STEP = b"ISO-10303-21;\nHEADER;\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("a.step", STEP), ("a.stp", b"garbage"), ("a.ply", PLY), ("a.gltf", GLTF)),
        *(("a.glb", b"glTF"), ("a.amf", b"<amf/>"), ("a.gcode", b"M997"), ("a.scad", b"cube(1);")),
        *(("a", b"x"), ("a.stl.exe", b"x"), (".stl", b"x")),
    ],
)
def test_another_format_is_named_and_never_opened(name: str, content: bytes) -> None:
    assert refusal(name, content).code == "unknown_format"


@pytest.mark.parametrize("seed", range(5))
def test_files_that_trimesh_wrote_all_say_the_same(seed: int) -> None:
    solid = trimesh.creation.annulus(3 + seed, 9 + seed, 5, sections=12 + seed)
    for name, kind in (("a.stl", "stl"), ("a.stl", "stl_ascii"), ("a.obj", "obj")):
        corners = opened(name, solid.export(file_type=kind)).corners
        facts = facts_of(corners, unit="millimeter", unit_source=UnitSource.FORMAT)
        assert (facts.watertight, facts.euler) == (True, solid.euler_number)
        assert facts.volume_mm3 == pytest.approx(solid.volume, rel=1e-5)


@pytest.mark.slicer
def test_a_3mf_that_a_slicer_wrote_is_read(tmp_path: Path) -> None:
    solid = trimesh.creation.annulus(3, 9, 5)
    (tmp_path / "part.stl").write_bytes(binary_stl(solid.triangles.astype(np.float32)))
    subprocess.run(
        ["prusa-slicer", "--export-3mf", "-o", "part.3mf", "part.stl"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=60,
    )
    corners = opened("part.3mf", (tmp_path / "part.3mf").read_bytes()).corners
    assert volume_mm3(corners) == pytest.approx(solid.volume, rel=1e-5)


@pytest.mark.slicer
def test_a_slicer_finds_the_same_size_in_a_3mf_of_inches(tmp_path: Path) -> None:
    build = '<item objectid="1" transform="1 0 0 0 2 0 0 0 3 1 1 0"/>'
    package = threemf(model_xml(build=build, attributes='unit="inch"'))
    (tmp_path / "part.3mf").write_bytes(package)
    said = subprocess.run(
        ["prusa-slicer", "--info", "part.3mf"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    theirs = [float(said.split(f"size_{axis} = ")[1].split()[0]) for axis in "xyz"]
    corners = opened("part.3mf", package).corners
    ours = corners.max(axis=(0, 1)) - corners.min(axis=(0, 1))
    assert ours.tolist() == pytest.approx(theirs, rel=1e-5)
