"""The wheel of OctoPrint-DesignHub: what is in it, and what it needs of OctoPrint's environment."""

import ast
import sys
import zipfile
from pathlib import Path

from designhub.plugin_wheel import PACKAGE, put_plugin

BROUGHT = {"requests", "urllib3"}
"""What OctoPrint ships and our modules use."""

ENTRY = {"flask", "flask_login", "octoprint"}
"""What only the entry may import."""


def test_the_wheel_is_the_same_every_time_and_has_nothing_of_ours_at_its_top(
    tmp_path: Path,
) -> None:
    wheel = put_plugin(tmp_path)
    first = wheel.read_bytes()
    wheel.unlink()
    assert put_plugin(tmp_path).read_bytes() == first
    with zipfile.ZipFile(wheel) as packed:
        tops = {name.split("/")[0] for name in packed.namelist()}
        assert tops == {"octoprint_designhub", f"{wheel.name.split('-py3')[0]}.dist-info"}
        sources = [packed.read(name).decode() for name in packed.namelist() if ".py" in name]
        licences = [packed.read(name).decode() for name in packed.namelist() if "LICENSE" in name]
        metadata = next(packed.read(name) for name in packed.namelist() if "METADATA" in name)
    assert b"Requires-Dist" not in metadata
    assert b"License-Expression: AGPL-3.0-or-later" in metadata
    assert any("GNU AFFERO GENERAL PUBLIC LICENSE" in text for text in licences)
    for source in sources:
        assert not any(
            line.lstrip().startswith(("from basis", "from printers", "import basis"))
            for line in source.splitlines()
        )


def test_it_needs_nothing_that_octoprint_does_not_bring(tmp_path: Path) -> None:
    wrong, seen = [], 0
    with zipfile.ZipFile(put_plugin(tmp_path)) as packed:
        for name in packed.namelist():
            if not name.endswith(".py"):
                continue
            allowed = {PACKAGE, *BROUGHT, *sys.stdlib_module_names}
            if name == f"{PACKAGE}/__init__.py":
                allowed |= ENTRY
            for node in ast.walk(ast.parse(packed.read(name))):
                found = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    assert node.level == 0, name
                    found = [str(node.module)]
                seen += len(found)
                wrong += [f"{name}: {each}" for each in found if each.split(".")[0] not in allowed]
    assert wrong == []
    assert seen > 100


def test_every_module_that_it_imports_is_in_it(tmp_path: Path) -> None:
    """But for the one that needs a package of its own, and is imported where that is."""
    with zipfile.ZipFile(put_plugin(tmp_path)) as packed:
        names = set(packed.namelist())
        for name in names:
            if not name.endswith(".py"):
                continue
            for node in ast.walk(ast.parse(packed.read(name))):
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGE):
                    path = str(node.module).replace(".", "/")
                    known = f"{path}.py" in names or f"{path}/__init__.py" in names
                    assert known or node.module == f"{PACKAGE}.printers.trust", node.module
