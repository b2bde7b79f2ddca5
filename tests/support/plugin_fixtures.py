"""Real OctoPrint servers with OctoPrint-DesignHub installed by pip, in an environment of their own
that stands on the shared one and leaves it as it is."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from designhub.plugin_wheel import put_plugin
from printers import farm as farms
from printers import octoprint as errors
from printers.evidence import File, Job, Machine, Own, Temperature
from printers.farm import Instance
from printers.in_time import unlimited
from printers.octoprint import OctoPrint, PrinterError
from printers.plugin.memory import Memory, save
from tests.support.agent_process import watched_until_now
from tests.support.hub_stand_in import TOKEN
from tests.support.octoprint_fixtures import Farm, RealBench, eventually

BRIDGE = Path(__file__).parent / "bridge_plugin.py"
ERRORS = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, PrinterError)
}


@pytest.fixture(scope="session")
def plugin_program(octoprint_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An `octoprint` whose environment has the plugin, installed from its wheel."""
    folder = tmp_path_factory.mktemp("plugin")
    wheel = put_plugin(folder)
    environment, shared = folder / "environment", octoprint_program.parent / "python"
    run(shared, "-m", "venv", "--without-pip", str(environment))
    python = environment / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    ours, theirs = (Path(run(each, "-c", asked).strip()) for each in (python, shared))
    (ours / "octoprint.pth").write_text(f"{theirs}\n")
    install = ("install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    run(shared, "-m", "pip", "--python", str(python), *install, str(wheel))
    program = environment / "bin" / "octoprint"
    program.write_text(f"#!{python}\nimport sys\nfrom octoprint import main\nsys.exit(main())\n")
    program.chmod(0o755)
    return program


def run(program: Path, *arguments: str) -> str:
    """Run a program of an environment; what it printed."""
    done = subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def plugin_farm(plugin_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """One server with the plugin; the bridge of the tests is beside it."""
    folder = tmp_path_factory.mktemp("plugin-farm")
    plugins = folder / "0" / "plugins"
    plugins.mkdir(parents=True)
    shutil.copy(BRIDGE, plugins / "bridge.py")
    whole = Farm(folder=folder, program=plugin_program, size=1)
    whole.start()
    yield whole
    farms.stop(folder)


class PluginServer:
    """The server with the plugin, as one test uses it."""

    def __init__(self, farm: Farm) -> None:
        self.farm, self.folder = farm, farm.folder / "0"
        self.data = self.folder / "data" / "designhub"

    @property
    def instance(self) -> Instance:
        return self.farm.instances[0]

    def works_for(self, memory: Memory | None, *, kill_at: str = "") -> None:
        """Run anew, as one that was enrolled so before, or that never was."""
        farms.stop(self.farm.folder)
        shutil.rmtree(self.data, ignore_errors=True)
        if memory is not None:
            self.data.mkdir(parents=True)
            save(self.data / "hub.json", memory)
            watched_until_now(self.data / "agent", f"inside:{self.data}")
        self.dies_at(kill_at)
        self.farm.fresh(0)

    def dies_at(self, mark: str) -> None:
        """End OctoPrint there, once; "" for nowhere."""
        kill_at = self.folder / "kill_at"
        kill_at.unlink(missing_ok=True)
        if mark:
            kill_at.write_text(mark)

    def is_dead(self) -> bool:
        """Whether it is gone altogether, its port too."""
        if farms.alive(self.instance):
            return False
        with suppress(ChildProcessError):
            os.waitpid(self.instance.pid, 0)
        return True

    def state(self) -> dict[str, Any]:
        """What the plugin tells its pages."""
        return dict(self.ask("GET", "designhub").json())

    def say(self, command: str, **more: Any) -> dict[str, Any]:
        """What a page says, and the state after the plugin did it."""
        before = self.state()["said"]["number"]
        self.ask("POST", "designhub", command=command, **more).raise_for_status()
        assert eventually(lambda: self.state()["said"]["number"] > before, limit_s=30)
        return self.state()

    def ask(self, method: str, plugin: str, **body: Any) -> requests.Response:
        return requests.request(
            method,
            f"{self.instance.url}/api/plugin/{plugin}",
            json=body or None,
            headers={"X-Api-Key": self.instance.api_key},
            timeout=20,
        )


@pytest.fixture
def plugin(plugin_farm: Farm) -> PluginServer:
    """The server with the plugin; the test says first for whom it works."""
    return PluginServer(plugin_farm)


def stand_in_memory(url: str, printer: str = "ender") -> Memory:
    """Enrolled at a stand-in for the hub."""
    return Memory(hub=url, token=TOKEN, printer=printer, workshop="bench")


class Bridged(OctoPrint):
    """The plugin's own way to the printer, called from outside by the bridge. What only a test
    asks (version, pause, disconnect) goes over HTTP as ever."""

    def call(self, method: str, *arguments: Any, **more: Any) -> Any:
        said = {"method": method, "arguments": arguments, "more": more}
        answer = requests.post(
            f"{self.base_url}/api/plugin/bridge",
            json={"command": "call", **said},
            headers={"X-Api-Key": self.api_key},
            timeout=20,
        )
        answer.raise_for_status()
        told = answer.json()
        if "error" in told:
            raise ERRORS[told["error"]](told["text"])
        return told["answer"]

    api_key = ""

    def job(self) -> Job:
        return Job(**self.call("job"))

    def printer(self) -> Machine:
        told = self.call("printer")
        heaters = {name: Temperature(**each) for name, each in told["temperatures"].items()}
        return Machine(state=told["state"], flags=frozenset(told["flags"]), temperatures=heaters)

    def file(self, path: str) -> File | None:
        told = self.call("file", path)
        return None if told is None else File(**told)

    def own_record(self, path: str) -> Own:
        return Own(self.call("own_record", path))

    def newest_print(self, *, besides: str) -> float:
        return float(self.call("newest_print", besides=besides))

    def warmest_c(self, *, within_s: float) -> float | None:
        told = self.call("warmest_c", within_s=within_s)
        return None if told is None else float(told)

    def upload(self, path: str, file: Path, *, userdata: Any, no_overwrite: bool = True) -> None:
        self.call("upload", path, os.fspath(file), userdata=userdata, no_overwrite=no_overwrite)

    def start(self, path: str, *, left_s: Callable[[], float] = unlimited) -> None:
        self.call("start", path, left_s=min(left_s(), 1e6))

    def cancel(self, path: str) -> None:
        self.call("cancel", path)

    def delete(self, path: str) -> None:
        self.call("delete", path)

    def connect(self) -> None:
        self.call("connect")


class InsideBench(RealBench):
    """The server with the plugin, reached from inside."""

    def __init__(self, server: PluginServer) -> None:
        super().__init__(server.farm, 0)
        bridged = Bridged(self.url, api_key=self.api_key)
        bridged.api_key = self.api_key
        self.client = bridged
