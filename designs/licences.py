"""What a licence allows: is it open hardware, and what may a remix carry?

Three questions, each answered without opening a file: what does this text mean in SPDX
(`canonical`, `suggest`, `guess`), does it make open hardware (`openness`), and may a remix carry
another licence (`compatible`). Nothing here is legal advice, and an unknown answer is never shown
as a good one.

SPDX expressions: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
"""

from designs.licence_names import canonical, guess, suggest
from designs.licence_remixes import Compatibility, Remix, compatible, openness_of_remix
from designs.licence_terms import (
    ALL_RIGHTS_RESERVED,
    HARDWARE,
    NO_ASSERTION,
    NONE,
    Openness,
    Verdict,
    openness,
)

__all__ = [
    "ALL_RIGHTS_RESERVED",
    "HARDWARE",
    "NONE",
    "NO_ASSERTION",
    "Compatibility",
    "Openness",
    "Remix",
    "Verdict",
    "canonical",
    "compatible",
    "guess",
    "openness",
    "openness_of_remix",
    "suggest",
]
