"""Keeps the agent small on its board: imported before anything that speaks HTTP.

`requests` loads a package that guesses the alphabet of pages nobody labelled, some 3 MB that stay.
An agent reads JSON and files of its own hub and of OctoPrint and guesses nothing. `requests` itself
does without that package, and says so in a warning that tells an owner nothing.
"""

import sys
import warnings
from typing import cast

GUESSER = "charset_normalizer"

if "requests" not in sys.modules and GUESSER not in sys.modules:
    # How Python itself notes down that there is none.
    cast(dict[str, object], sys.modules)[GUESSER] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import requests  # noqa: F401 - loaded here, so that it stays loaded without the other
    del sys.modules[GUESSER]
