"""Good manifests of each generation, and the files of the commit they stand in."""

from collections.abc import Callable

from designs.manifest import Manifest, read

FILES = frozenset(
    [
        *("README.md", "bom.csv", "docs/build.md", "docs/use.md", "docs/lamp.jpg", "LICENSE"),
        *("cad/foot.scad", "cad/arm.scad", "stl/foot.stl", "stl/foot.3mf", "stl/arm.obj"),
        *("docs/risk.md", "docs/tools.md", "foo..bar.stl"),
    ]
)


def tree(path: str) -> str | None:
    """The blob ids of a small commit; it refuses to be asked for anything but clean paths."""
    steps = path.split("/")
    assert path
    assert not {"", ".", ".."} & set(steps), path
    assert all(ord(letter) > 31 for letter in path), path
    return f"blob of {path}" if path in FILES else None


V2_4 = """\
okhv = "2.4"
name = "Reading lamp"
repo = "https://example.org/lamps/reading"
license = "CERN-OHL-S-2.0"
licensor = "Ada Example (Lamp Works) <ada@example.org>"
function = "Lights a page, not the room."
version = "1.10"
documentation-language = ["en", "de-AT"]
readme = "README.md"
bom = "bom.csv"
image = [
  { location = "docs/lamp.jpg", depicts = "the lamp", slots = ["photo-thing-main"] },
  "https://example.org/lamp.png",
]
technology-readiness-level = "OTRL-4"
documentation-readiness-level = "ODRL-3*"
publication = "doi: 10.1371/journal.pone.0193087"
cpc-patent-class = "F21S 6/00"
tsdc = ["3DP", "ASM"]
mass = 450
outer-dimensions = { width = 120, depth = 120.5, height = 400 }

[[part]]
name = "Foot"
source = "cad/foot.scad"
export = ["stl/foot.3mf", "stl/foot.stl"]
mass = 200
outer-dimensions = { width = 120, depth = 120.5, height = 30 }
tsdc = "3DP"

[[part]]
name = "Arm"
source = "cad/arm.scad"
export = "stl/arm.obj"

[[software]]
release = "https://example.org/firmware"
installation-guide = "docs/use.md"

[rdf]
namespace = "https://example.org/lamp#"
prefix = "lamp"
"""

LOSH = """\
okhv = "OKH-LOSHv1.0"
name = "Reading lamp"
repo = "https://example.org/lamps/reading"
version = 1.10
license = "CERN-OHL-S-2.0"
licensor = "Ada Example <ada@example.org>"
function = "Lights a page, not the room."
organization = "Lamp Works"
readme = "README.md"
image = "docs/lamp.jpg"
documentation-language = "en"
manufacturing-instructions = "docs/build.md"
own-key = 400
material = "PLA"

[[part]]
name = "Foot"
source = "cad/foot.scad"
export = "stl/foot.stl"
material = "PLA"
printing-process = "FDM"
tsdc = "3DP"
"""

DRAFT = """\
okhv = "2.0"
name = "Reading lamp"
repo = "https://example.org/lamps/reading"
license = "CERN-OHL-S-2.0"
licensor = "Ada Example"
function = "Lights a page, not the room."
patent-class = "F21S 6/00"
tsdc-id = "ASM"
simplified-bom = "bom.csv"
manufacturing-instruction = "docs/build.md"
rpm = "666"

[[part]]
name = "Foot"
tsdc-id = "3DP"
export = "stl/foot.stl"
process = "printed"
"""

V1 = """\
%Open Know-How Manifest 1.0
---
title: Reading lamp
description: |
  Lights a page,
  not the room.
intended-use: Reading at night.
keywords:
  - lamp
  - light
project-link: https://example.org/lamps/reading
made: yes
made-independently: false
development-stage: product
version: 1.10
license:
  hardware: CERN-OHL-S-2.0
  documentation: CC-BY-SA-4.0
  software: GPL-3.0-or-later
licensor:
  name: Ada Example
  affiliation: Lamp Works
  email: ada@example.org
manifest-author:
  name: Ada Example
  email: ada@example.org
contributors:
  - name: Bo Example
date-created: 2024-02-29
date-updated: 2024-03-01
manifest-language: en
documentation-language: en-GB
derivative-of:
  title: Older lamp
  web: https://example.org/lamps/older
standards-used:
  - standard-title: ISO 9001
image: docs/lamp.jpg
bom: bom.csv
tool-list: docs/tools.md
design-files:
  - path: ./cad/foot.scad
    title: The foot
manufacturing-files:
  - path: stl/foot.stl
    title: The foot
  - path: stl/foot.3mf
  - path: stl/arm.obj
making-instructions:
  - path: docs/build.md
    title: How to build it
operating-instructions:
  - path: docs/use.md
okh-manifest-version: 1.0.0
"""

JSON = """\
{
  "okhv": "2.4",
  "name": "Reading lamp",
  "repo": "https://example.org/lamps/reading",
  "license": "CERN-OHL-S-2.0",
  "licensor": [{"name": "Ada Example", "email": "ada@example.org"}],
  "function": "Lights a page, not the room.",
  "version": "1.10",
  "part": [
    {"name": "Foot", "export": "stl/foot.stl", "mass": 200.5}
  ]
}
"""

GOOD = {
    "2.4": ("okh.toml", V2_4),
    "losh": ("okh.toml", LOSH),
    "draft": ("okh.toml", DRAFT),
    "1.0": ("okh.yml", V1),
    "json": ("okh.json", JSON),
}


def reading(
    text: str | bytes,
    *,
    filename: str = "okh.toml",
    tree: Callable[[str], str | None] = tree,
    licence_text: str | None = None,
) -> Manifest:
    """Read a manifest in the small commit; what was read must survive a database."""
    data = text if isinstance(text, bytes) else text.encode()
    found = read(
        data,
        filename=filename,
        tree=tree,
        repository_name="lamp-repo",
        licence_text=licence_text,
    )
    assert found.name
    assert all(fault.text and fault.code for fault in found.faults)
    return found
