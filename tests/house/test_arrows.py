"""The picture of the house, enforced: every import is read, and an arrow it lacks fails here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ARROWS = {
    "basis": set(),
    "designs": {"basis"},
    "printers": {"basis"},
    "commons": {"basis"},
    "router": {"basis", "designs", "printers", "commons"},
    "designhub": {"basis", "designs", "printers", "commons", "router"},
}

DOORS = {
    "designs": {"facts", "queries"},
    "commons": {"book", "facts", "settlement"},
    "printers": {
        "capability",
        "models",
        "offer",
        "protocol",
        "provenance",
        "queries",
        "quiet",
        "registry",
        "slicer",
        "slicer_ini",
        "upkeep",
    },
}
"""What the router may use of each; see docs/decisions/0002-doors-of-the-packages.md."""

PRINTER_SIDE = {
    "addresses",
    "agent",
    "agent_cli",
    "agent_config",
    "agent_enrol",
    "agent_screen",
    "agent_unit",
    "appkeys",
    "camera",
    "capability",
    "estimates",
    "evidence",
    "farm",
    "farm_files",
    "gcode",
    "gcode_bed",
    "gcode_flavours",
    "gcode_flow",
    "gcode_words",
    "hub",
    "in_time",
    "journal",
    "light",
    "materials",
    "messenger",
    "networks",
    "octoprint",
    "octoprint_http",
    "port",
    "protocol",
    "provenance",
    "signing",
    "push",
    "station",
    "steps",
    "tending",
    "trust",
    "traces",
    "waits",
    "watch",
    "ways",
}
"""Modules of `printers` that install on a small board: the base install and nothing else."""

PLUGIN = {
    *("at_printer", "print_journal"),
    *(f"plugin/{name}" for name in ("desk", "inside", "life", "memory", "voice")),
}
"""Modules of the plugin; its `entry` is the only one that imports OctoPrint."""

LIGHT = {"click", "cryptography", "requests", "rich", "urllib3"}
"""Libraries of the base install."""

PURE = [
    *(f"router/{name}.py" for name in ("states", "matching", "quote", "emissions", "estimate")),
    *(f"designs/{name}.py" for name in ("facts", "mesh", "licences")),
    *(f"commons/{name}.py" for name in ("vocab", "settlement", "facts")),
    *(
        f"printers/{name}.py"
        for name in ("capability", "protocol", "evidence", "gcode", "provenance", "quiet", "traces")
    ),
    "basis/units.py",
]
RIMS = {"sqlalchemy", "flask", "requests", "subprocess", "socket", "os", "time", "random"}


def sources(package: str) -> list[Path]:
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "samples" not in path.parts]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module a file imports, `from a import b` also as `a.b`, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield each.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for each in node.names:
                yield f"{node.module}.{each.name}", node.lineno


@pytest.mark.parametrize("package", ARROWS)
def test_packages_depend_in_one_direction(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(package)
        for name, line in imports(path)
        if name.split(".")[0] in ARROWS.keys() - ARROWS[package] - {package}
    ]
    assert wrong == []


def test_the_router_uses_named_doors_only() -> None:
    wrong = []
    for path in sources("router"):
        for name, line in imports(path):
            package, _, rest = name.partition(".")
            if package in DOORS and rest.split(".")[0] not in DOORS[package]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert wrong == []


REACHES_PRINTERS = {
    *(
        "agent",
        "agent_cli",
        "appkeys",
        "camera",
        "farm",
        "octoprint",
        "octoprint_http",
        "push",
        "sight",
    ),
    *("station", "tending", "ways"),
}
"""Modules of `printers` that connect to a printer, or have a part that does."""

MAY_REACH = {
    "designhub/attached.py": "the process that tends printers on the hub's own network",
    "designhub/chaos": "an experiment with virtual printers, on one machine",
    "designhub/commands/agent.py": "runs beside a printer",
    "designhub/commands/farm.py": "virtual printers, on one machine",
    "designhub/commands/workshops.py": "runs where its owner sits: asks OctoPrint for a key",
    "designhub/demo": "virtual printers, on one machine",
}


def test_nothing_else_in_the_hub_connects_to_a_printer() -> None:
    """Pages, API and side work are told by agents, or write down a wish."""
    wrong, reaching = [], set()
    for path in [*sources("designhub"), *sources("router")]:
        name = str(path.relative_to(ROOT))
        allowed = next((each for each in MAY_REACH if name.startswith(each)), None)
        for module, line in imports(path):
            package, _, rest = module.partition(".")
            if package == "printers" and rest.split(".")[0] in REACHES_PRINTERS:
                if allowed is None:
                    wrong.append(f"{name}:{line} imports {module}")
                reaching.add(allowed)
    for path in sources("printers"):
        name = path.stem
        if path.parent.name == "plugin" or name in PRINTER_SIDE | REACHES_PRINTERS:
            continue
        wrong += [
            f"{path.relative_to(ROOT)}:{line} imports {module}"
            for module, line in imports(path)
            if module.startswith("printers.") and module.split(".")[1] in REACHES_PRINTERS
        ]
    assert wrong == []
    assert reaching == set(MAY_REACH)


def test_the_printer_side_installs_light() -> None:
    """An agent's machine has requests, click and rich: whatever the agent imports, straight or
    through another module of ours, needs nothing else."""
    import sys

    known = LIGHT | set(sys.stdlib_module_names)
    wrong, seen = [], set()
    waiting = [ROOT / "printers" / f"{name}.py" for name in sorted(PRINTER_SIDE | PLUGIN)]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name, line in imports(path):
            top, _, rest = name.partition(".")
            if top in ARROWS:
                for candidate in (rest.replace(".", "/"), rest.rpartition(".")[0]):
                    module = ROOT / top / f"{candidate}.py"
                    if candidate and module.is_file():
                        waiting.append(module)
            elif top not in known:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert wrong == []
    assert len(seen) > len(PRINTER_SIDE) / 2


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_do_no_input_or_output(name: str) -> None:
    wrong = [
        f"{name}:{line} imports {module}"
        for module, line in imports(ROOT / name)
        if module.split(".")[0] in RIMS
    ]
    assert wrong == []


def test_only_settings_read_the_environment() -> None:
    allowed = {
        "basis/settings.py",
        "designs/hook.py",  # git starts it: the environment is its argument
        "printers/agent_cli.py",
    }
    wrong = []
    for package in ARROWS:
        for path in sources(package):
            name = str(path.relative_to(ROOT))
            if name in allowed:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                    value = node.value
                    if isinstance(value, ast.Name) and value.id == "os":
                        wrong.append(f"{name}:{node.lineno}")
    assert wrong == []
