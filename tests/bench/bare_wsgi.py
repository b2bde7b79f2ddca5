"""The peer of `bench_idle`: the same server with the least application there can be.

python -m tests.bench.bare_wsgi PORT THREADS
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

ANSWER = b'{"work": [], "again_s": 30.0, "why_not": {}}'


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read what was asked, and say that there is no work."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    length = str(len(ANSWER))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", length)])
    return [ANSWER]


if __name__ == "__main__":
    Granian(
        "bare",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=1,
        blocking_threads=int(sys.argv[2]),
        log_level=LogLevels.warning,
    ).serve(target_loader=lambda *_: application, wrap_loader=False)
