"""The wheel of OctoPrint-DesignHub, put together from the installed files: the plugin, with every
module of ours that it needs, under the name of its own package.

OctoPrint's plugins share one environment, so nothing of ours may be called `basis` or `printers`
there; the imports are rewritten as the modules are packed. There is one source of each.
"""

import ast
from collections.abc import Iterator
from importlib.metadata import distribution, distributions
from importlib.util import find_spec
from pathlib import Path

from basis.errors import Unavailable
from designhub import wheel

PACKAGE = "octoprint_designhub"
OURS = ("basis", "printers")
ENTRY = "printers.plugin.entry"
"""What OctoPrint loads; it becomes the package itself."""

LEFT_OUT = {"printers.trust"}
"""Needs a package that OctoPrint does not bring; the plugin runs the agent without it."""

DATA = ("templates", "static")
METADATA = """Metadata-Version: 2.4
Name: OctoPrint-DesignHub
Version: {version}
Summary: Takes work from a DesignHub for the printer of this OctoPrint.
License-Expression: AGPL-3.0-or-later
License-File: LICENSE
Classifier: Framework :: OctoPrint
Requires-Python: >=3.11
"""
ENTRY_POINTS = f"[octoprint.plugin]\ndesignhub = {PACKAGE}\n"


def put_plugin(folder: Path) -> Path:
    """Have the plugin's wheel of this release in `folder`, in place of those of other releases."""
    installed = distribution(wheel.NAME)
    version = installed.version
    about = f"{PACKAGE}-{version}.dist-info"
    files = dict(_modules()) | dict(_data())
    files[f"{about}/METADATA"] = METADATA.format(version=version).encode()
    files[f"{about}/entry_points.txt"] = ENTRY_POINTS.encode()
    # A checkout holds what describes it twice, once without the licence.
    told = (each.read_text("licenses/LICENSE") for each in distributions(name=wheel.NAME))
    licence = next(filter(None, told), None)
    if licence is None:
        raise Unavailable(f"this installation of {wheel.NAME} lacks its licence: install it again")
    files[f"{about}/licenses/LICENSE"] = licence.encode()
    return wheel.keep(folder, PACKAGE, version, wheel.wheel(PACKAGE, version, files))


def _modules() -> Iterator[tuple[str, bytes]]:
    """(name in the wheel, source) of the entry, of all it imports of ours, and their packages."""
    waiting, seen = [ENTRY], {ENTRY} | LEFT_OUT
    found: dict[str, bytes] = {}
    while waiting:
        module = waiting.pop()
        path = _path(module)
        if path is None:
            raise Unavailable(f"the module {module} is not installed: install {wheel.NAME} again")
        source = path.read_text("utf-8")
        needed = set(_imported(ast.parse(source)))
        parents = {module.rpartition(".")[0]} - {""}
        waiting += sorted((needed | parents) - seen)
        seen |= needed | parents
        found[_place(module, path)] = _renamed(source).encode()
    yield from sorted(found.items())


def _path(module: str) -> Path | None:
    """Where a module of ours stands; it is not imported, for only OctoPrint can load the entry."""
    top, _, rest = module.partition(".")
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        return None
    base = Path(spec.origin).parent.joinpath(*rest.split(".")) if rest else Path(spec.origin).parent
    found = (base.with_suffix(".py"), base / "__init__.py")
    return next((each for each in found if each.is_file()), None)


def _imported(tree: ast.AST) -> Iterator[str]:
    """The modules of ours that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wrong = [each.name for each in node.names if each.name.split(".")[0] in OURS]
            if wrong:  # `import basis.x` binds the name that is rewritten away
                raise Unavailable(f"write from … import …, not import {wrong[0]}")
        if isinstance(node, ast.ImportFrom) and node.module and _is_ours(node):
            for each in node.names:
                whole = f"{node.module}.{each.name}"
                yield whole if _path(whole) is not None else node.module


def _is_ours(node: ast.ImportFrom) -> bool:
    return node.level == 0 and str(node.module).split(".")[0] in OURS


def _renamed(source: str) -> str:
    """The source with our packages under the plugin's own."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and _is_ours(node):
            line = lines[node.lineno - 1]
            lines[node.lineno - 1] = line.replace("from ", f"from {PACKAGE}.", 1)
    return "".join(lines)


def _place(module: str, path: Path) -> str:
    if module == ENTRY:
        return f"{PACKAGE}/__init__.py"
    inside = module.replace(".", "/")
    return f"{PACKAGE}/{inside}{'/__init__' if path.name == '__init__.py' else ''}.py"


def _data() -> Iterator[tuple[str, bytes]]:
    """Templates, script and style."""
    entry = _path(ENTRY)
    top = entry.parent if entry is not None else Path()
    for folder in DATA:
        for path in sorted((top / folder).rglob("*")):
            if path.is_file():
                yield f"{PACKAGE}/{path.relative_to(top).as_posix()}", path.read_bytes()
