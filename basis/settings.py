"""The hub's settings: read once at start, bounded, and explained where they are declared.

Every field may be given as `DESIGNHUB_<NAME>` in the environment, which nothing else reads.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from basis.errors import Invalid

PREFIX = "DESIGNHUB_"
AGENT_PREFIX = "DESIGNHUB_AGENT_"
"""Variables of the agent, which reads its own; the hub passes over them."""

TILES = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9/{}._~%?=&@-]*")

CLIENT_VARIABLES = frozenset({f"{PREFIX}URL", f"{PREFIX}TOKEN"})
"""Which hub the commands speak to, and as whom; the hub passes over them too."""


def setting(
    *,
    parse: Callable[[str], Any],
    default: Any = MISSING,
    low: int | None = None,
    high: int | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """One field of `Settings`: how to read its text, and what values it may have."""
    metadata = {"parse": parse, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=metadata)


def boolean(text: str) -> bool:
    """`true` or `false`, in any case; also `1` and `0`."""
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return known[text.strip().lower()]
    except KeyError:
        raise ValueError("expected true or false") from None


def one_line(text: str) -> str:
    """Text without control characters: it goes into headers and pages."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("expected one line without control characters")
    return text.strip()


def folder(text: str) -> Path:
    """A folder's path; relative ones are taken from where the hub was started."""
    return Path(text).expanduser().absolute()


def networks(text: str) -> str:
    """Networks with commas between, each such as `192.168.7.0/24`."""
    return ",".join(str(ipaddress.ip_network(each.strip())) for each in text.split(",") if each)


def tiles(text: str) -> str:
    """Address of square map pictures, with `{z}`, `{x}` and `{y}` in its path. It enters a header,
    so it holds no space, quote, comma or semicolon."""
    if text and not TILES.fullmatch(text):
        raise ValueError("expected an address such as https://tiles.example/{z}/{x}/{y}.png")
    if text and not all(each in text for each in ("{z}", "{x}", "{y}")):
        raise ValueError("the address lacks {z}, {x} or {y}")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the operator of a hub may choose."""

    data_dir: Path = setting(parse=folder, default=Path("hub-data"))
    """Folder of everything the hub keeps: repositories, blobs, the SQLite file, the queue."""

    database_url: str = setting(parse=str, default="")
    """Any SQLAlchemy address, e.g. `postgresql://hub@localhost/hub`. Empty means SQLite in
    `data_dir`."""

    queue_url: str = setting(parse=str, default="")
    """A `redis://` address for the side-task queue. Empty means SQLite in `data_dir`."""

    host: str = setting(parse=str, default="127.0.0.1")
    """Address the server listens on; put a TLS proxy in front before opening it to a network."""

    port: int = setting(parse=int, default=8080, low=0, high=65_535)
    """Port the server listens on; 0 takes a free one."""

    public_url: str = setting(parse=str, default="")
    """Address people use, e.g. `https://hub.example`. Empty: what the request itself says."""

    trusted_proxies: int = setting(parse=int, default=0, low=0, high=8)
    """How many proxies in front set X-Forwarded-For and -Proto; 0 believes no such header."""

    server_threads: int = setting(parse=int, default=32, low=2, high=512)
    """Threads of one server process; each git transfer or held question takes one."""

    server_processes: int = setting(parse=int, default=1, low=1, high=64)
    """Server processes. One keeps a hundred thousand idle agents; more need PostgreSQL."""

    worker_threads: int = setting(parse=int, default=2, low=1, high=64)
    """Side tasks (measuring, slicing) done at the same time."""

    registration: str = setting(parse=str, default="open", choices=("open", "invitation", "closed"))
    """Who may make an account: `open` anybody, `invitation` whom the operator invited, `closed`
    only the operator by command."""

    operator_contact: str = setting(parse=one_line, default="")
    """Whom to ask, as pages say it: a mail address, a room, a name. Empty: "the operator"."""

    smtp_host: str = setting(parse=one_line, default="")
    """The mail server. Empty: mail is only written to the log, links and all."""

    smtp_port: int = setting(parse=int, default=587, low=1, high=65_535)
    """Its port: 587 with `starttls`, 465 with `tls`, 25 within a network of one's own."""

    smtp_user: str = setting(parse=str, default="")
    """The name to sign in there with. Empty: no signing in."""

    smtp_password: str = setting(parse=str, default="")
    """The password that goes with it."""

    smtp_tls: str = setting(parse=str, default="starttls", choices=("starttls", "tls", "none"))
    """How the way there is encrypted; `none` only to a server on the same machine."""

    mail_from: str = setting(parse=one_line, default="")
    """The sender, e.g. `DesignHub <hub@example.org>`. Empty: `designhub@` and the host of
    `public_url`."""

    secret_key: str = setting(parse=str, default="")
    """Signs sessions. Empty: made once and kept in `data_dir/secret_key`."""

    session_days: int = setting(parse=int, default=30, low=1, high=365)
    """How long somebody stays signed in without coming back."""

    sign_in_tries: int = setting(parse=int, default=10, low=1, high=1_000)
    """Failed sign-ins that one name or one address may make in `sign_in_window_s`."""

    sign_in_window_s: int = setting(parse=int, default=300, low=10, high=86_400)
    """The window of `sign_in_tries`."""

    push_bytes: int = setting(parse=int, default=1 << 30, low=1 << 16, high=1 << 40)
    """Largest pack that one push may send."""

    repository_bytes: int = setting(parse=int, default=4 << 30, low=1 << 16, high=1 << 44)
    """Largest size of one repository on disk."""

    file_bytes: int = setting(parse=int, default=256 << 20, low=1 << 10, high=1 << 34)
    """Largest single file a push may bring."""

    push_files: int = setting(parse=int, default=20_000, low=10, high=10_000_000)
    """Most files in one commit's tree."""

    uploads: int = setting(parse=int, default=4, low=1, high=256)
    """Uploads by browser that are taken in at once; who comes then is told to try again."""

    upload_bytes: int = setting(parse=int, default=256 << 20, low=1 << 20, high=1 << 34)
    """Most that the files of one upload by browser may be together."""

    git_timeout_s: int = setting(parse=int, default=3_600, low=10, high=86_400)
    """A git transfer that takes longer is ended."""

    lease_s: int = setting(parse=int, default=120, low=2, high=3_600)
    """How long an agent may stay silent before its lease ends."""

    permit_s: int = setting(parse=int, default=300, low=30, high=3_600)
    """How long a start permit is good for; an agent does not begin in its last 10 s."""

    poll_s: int = setting(parse=int, default=10, low=1, high=3_600)
    """When an idle agent is told to ask again, give or take a tenth."""

    beat_s: int = setting(parse=int, default=2, low=1, high=60)
    """How often a printing agent tells its progress."""

    held_questions: int = setting(parse=int, default=8, low=0, high=256)
    """Questions of idle agents held open at once until there is work; above it, "ask again"."""

    live_streams: int = setting(parse=int, default=12, low=0, high=256)
    """Open pages told of changes at once; further ones look again by themselves."""

    quote_s: int = setting(parse=int, default=3_600, low=60, high=604_800)
    """How long a quote binds."""

    attached_networks: str = setting(parse=networks, default="")
    """Networks on which this hub itself tends printers, e.g. `192.168.7.0/24`, with commas between.
    Empty: it connects to no printer."""

    unseen_s: int = setting(parse=int, default=180, low=10, high=86_400)
    """A printer whose agent was silent this long gets no new orders."""

    slicer_wall_s: int = setting(parse=int, default=600, low=10, high=7_200)
    """Longest a slicer may take for one job."""

    slicer_profiles: Path = setting(parse=folder, default=Path("/usr/share/PrusaSlicer/profiles"))
    """Where the slicer keeps its bundles of printer profiles."""

    tile_url: str = setting(parse=tiles, default="")
    """Map pictures of streets under the hub's own map, e.g. `https://tiles.example/{z}/{x}/{y}.png`.
    Readers' browsers ask that host. Empty: the map contacts nobody."""

    tile_credit: str = setting(parse=str, default="")
    """Whose map pictures those are, written on the map."""

    log_level: str = setting(
        parse=str, default="info", choices=("debug", "info", "warning", "error")
    )
    """How much the hub writes to its log."""

    log_json: bool = setting(parse=boolean, default=False)
    """One JSON object a line instead of text, for log collectors."""

    @property
    def database(self) -> str:
        """The database's address with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'hub.sqlite'}"

    @property
    def repositories_dir(self) -> Path:
        """Bare git repositories, one folder per design id."""
        return self.data_dir / "repositories"

    @property
    def blobs_dir(self) -> Path:
        """Files by their sha256: G-code, checked meshes, pictures."""
        return self.data_dir / "blobs"

    @property
    def scratch_dir(self) -> Path:
        """Job folders of child processes; may be emptied whenever the hub is stopped."""
        return self.data_dir / "scratch"

    @property
    def downloads_dir(self) -> Path:
        """The wheel that workshops install the agent from."""
        return self.data_dir / "downloads"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from `DESIGNHUB_*` variables.

    Raises Invalid for an unknown name or a value out of bounds: a typo must not silently become a
    default.
    """
    known = {f"{PREFIX}{each.name.upper()}": each for each in fields(Settings)}
    named = {
        name
        for name in environ
        if name.startswith(PREFIX)
        and not name.startswith(AGENT_PREFIX)
        and name not in CLIENT_VARIABLES
    }
    if unknown := sorted(named - known.keys()):
        raise Invalid(f"unknown settings: {', '.join(unknown)}; the known ones: docs/settings.md")
    values = {known[name].name: parsed(name, known[name], environ[name]) for name in named}
    return Settings(**values)


def parsed(name: str, each: "Field[Any]", text: str) -> Any:
    """The value of one setting, given as `text` under `name`. Raises Invalid naming both."""
    metadata = each.metadata
    try:
        value = cast(Callable[[str], Any], metadata["parse"])(text)
    except ValueError as exc:
        raise Invalid(f"{name}={text!r}: {exc}") from exc
    low, high, choices = metadata["low"], metadata["high"], metadata["choices"]
    if (low is not None and value < low) or (high is not None and value > high):
        raise Invalid(f"{name}={text!r} is out of bounds: {low} to {high}")
    if choices and value not in choices:
        raise Invalid(f"{name}={text!r} is not one of: {', '.join(choices)}")
    return value


def settings_of_this_process() -> Settings:
    """Settings from the environment this process was started with."""
    return read_settings(os.environ)


def environment_for_child(given: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with only those `DESIGNHUB_*` variables that are given: a child
    must not take over settings that were meant for another hub."""
    others = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    return {**others, **given}
