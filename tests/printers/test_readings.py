"""What is read off a machine in mid-print: layers by the bytes sent, heaters once in a while and
without one more question; and what either side makes of words that the other does not know."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printers import readings as module
from printers import sight as sight_module
from printers.evidence import Machine, Temperature, Verdict
from printers.protocol import Beat
from printers.readings import MARK, Readings, layers_of, readings
from printers.sight import Sight
from tests.support.octoprint_fixtures import StandInBench, dwells

HEADER = b"; made by a test\nG28\n"
MOVES = b"G1 X10 Y10 E1\nG1 X20\n"


def mark(z: str) -> bytes:
    return b"\n;LAYER_CHANGE\n;Z:" + z.encode() + b"\n;HEIGHT:0.2\n"


@given(
    pieces=st.lists(
        st.one_of(
            st.sampled_from([MOVES, b"\n;LAYER_CHANGE\n;Z:", b";Z:1.2\n", b"\n"]),
            st.integers(0, 9_999).map(lambda um: mark(f"{um / 1000:g}")),
        ),
        max_size=40,
    ),
    block=st.integers(64, 200),
)
def test_blocks_find_what_the_whole_file_holds(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], block: int
) -> None:
    content = HEADER + b"".join(pieces) + b"\nM84\n"
    file = tmp_path_factory.mktemp("layers") / "print.gcode"
    file.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", block)
        found = layers_of(file)
    whole = list(re.finditer(MARK, content))
    assert list(found.starts) == [each.start() for each in whole]
    assert list(found.heights_um) == [round(float(each[1]) * 1_000) for each in whole]


def test_the_layer_is_where_the_file_is(tmp_path: Path) -> None:
    first, second = HEADER + MOVES, mark("0.2") + MOVES
    file = tmp_path / "print.gcode"
    file.write_bytes(first + second + mark("0.45") + MOVES)
    layers = layers_of(file)
    assert layers.at(len(first) - 1) is None
    assert layers.at(len(first)) == layers.at(len(first + second) - 1) == (1, 200)
    assert layers.at(len(first + second)) == layers.at(1 << 60) == (2, 450)


def test_a_file_of_marks_that_mean_something_else_has_no_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LAYERS", 2)
    file = tmp_path / "print.gcode"
    file.write_bytes(mark("0.2") * 3)
    assert not layers_of(file).starts


def test_what_no_heater_can_be_is_not_said() -> None:
    def machine(actual_c: float | None, target_c: float | None) -> Machine:
        heaters = {"tool0": Temperature(actual_c=actual_c, target_c=target_c)}
        return Machine(state="Printing", flags=frozenset(), temperatures=heaters)

    assert readings(machine(214.6, 215.0), None, None) == Readings(
        nozzle_c=215, nozzle_target_c=215
    )
    assert readings(machine(1e9, None), None, None) == Readings()
    assert readings(None, None, None) == Readings()


def heaters_of(sight: Sight) -> set[str]:
    return set() if sight.machine is None else set(sight.machine.temperatures)


def test_heaters_are_read_instead_of_the_record(
    stand_in: StandInBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two questions a look, as ever; the record still tells the end."""
    monkeypatch.setattr(sight_module, "HEAT_S", 4.0)
    stand_in.client.upload("ours.gcode", dwells(tmp_path, seconds=30), userdata={})
    stand_in.client.start("ours.gcode")
    now_s = [0.0]
    sight = Sight(stand_in.client, "ours.gcode", clock=lambda: now_s[0], warn=print)
    stand_in.stand_in.asked.clear()
    for _ in range(6):
        seen = sight.look(sent=True)
        assert seen is not None and seen.verdict is Verdict.RUNNING
        now_s[0] += 1.0
    asked = stand_in.stand_in.asked
    assert len(asked) == 12
    assert asked.count("GET /api/printer") == 2
    assert asked[1].startswith("GET /api/files")  # what is not known to run is looked up first
    assert "bed" in heaters_of(sight)
    now_s[0] += sight_module.HEAT_OLD_S + 1.0
    assert not heaters_of(sight)
    stand_in.client.cancel("ours.gcode")
    assert sight.look(sent=True) == sight.look(sent=True)
    last = sight.look(sent=True)
    assert last is not None and last.verdict is Verdict.FAILED


def test_either_side_may_be_the_newer() -> None:
    older = {"fence": 1, "printing": True, "progress_ppm": 5}
    assert Beat.from_json(older).nozzle_c is None
    newer = Beat(fence=1, nozzle_c=214, layer=3, layers=9, z_um=600).to_json()
    assert Beat.from_json(newer | {"chamber_c": 40, "fan_per_mille": 800}).layer == 3
