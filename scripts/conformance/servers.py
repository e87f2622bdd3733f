"""The servers that are compared, on this machine and for as long as a `with` lasts.

Each is held by a pipe: when the process that started it ends, even by SIGKILL, the server ends too.
They listen at 127.0.0.1 alone, or at a socket in their own folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg

REPOSITORY = Path(__file__).resolve().parents[2]
SPARK = REPOSITORY / ".venv-spark"
SAIL = REPOSITORY / ".venv-sail"
POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")

_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Hundreds of small statements run once each: compiling them well costs more than it saves."""

_WITHIN = 90.0
"""Seconds a server has to answer; a Java virtual machine on a busy machine takes ten."""

# Ends the command ($2 …) with the signal $1 as soon as standard input closes.
_HELD = (
    'exec 3<&0; s=$1; shift; "$@" </dev/null 3<&- & c=$!; { cat <&3 >/dev/null; kill -"$s" $c; } & wait $c'
)


class ServerFailed(RuntimeError):
    """A server did not come up; the message ends with the last lines of its log."""


@contextlib.contextmanager
def spark_cluster(workers: int = 2) -> Generator[str]:
    """Apache Spark's standalone cluster: master, workers of one core, and Spark Connect. Its `sc://` URL."""
    [home] = SPARK.glob("lib/python3*/site-packages/pyspark")
    master, connect = _free_port(), _free_port()
    spark_class = [str(home / "bin" / "spark-class")]
    deploy = "org.apache.spark.deploy"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kreislauf-spark-")))
        environment = {
            "PATH": os.environ["PATH"],
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": _JAVA,
            "SPARK_LOCAL_DIRS": str(folder),
            "PYSPARK_PYTHON": str(SPARK / "bin" / "python"),
        } | {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
        stack.enter_context(
            _held(
                [*spark_class, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(master),
                 "--webui-port", "0"],
                folder / "master.log", environment,
            )
        )  # fmt: skip
        _wait_for_port(master, folder / "master.log")
        for number in range(workers):
            stack.enter_context(
                _held(
                    [*spark_class, f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1",
                     "--memory", "1g", "--webui-port", "0", "--work-dir", str(folder / f"worker-{number}"),
                     f"spark://127.0.0.1:{master}"],
                    folder / f"worker-{number}.log", environment,
                )
            )  # fmt: skip
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": connect,
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.extraJavaOptions": _JAVA,
            "spark.executor.extraJavaOptions": _JAVA,
            "spark.executor.memory": "1g",
            "spark.ui.enabled": "false",
            "spark.sql.warehouse.dir": folder / "spark-warehouse",
        }
        stack.enter_context(
            _held(
                [str(home / "bin" / "spark-submit"), "--master", f"spark://127.0.0.1:{master}",
                 *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")),
                 "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"],
                folder / "connect.log", environment | {"SPARK_DAEMON_MEMORY": "1g"}, cwd=folder,
            )
        )  # fmt: skip
        _wait_for_port(connect, folder / "connect.log")
        yield f"sc://127.0.0.1:{connect}"


@contextlib.contextmanager
def sail() -> Generator[str]:
    """Sail, which speaks Spark Connect without Java. Its `sc://` URL."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="kreislauf-sail-") as folder:
        log = Path(folder) / "sail.log"
        command = [str(SAIL / "bin" / "sail"), "spark", "server", "--port", str(port)]
        with _held(command, log, {"PATH": os.environ["PATH"]}, cwd=Path(folder)):
            _wait_for_port(port, log)
            yield f"sc://127.0.0.1:{port}"


@contextlib.contextmanager
def postgres_15() -> Generator[str]:
    """PostgreSQL 15 as the system has installed it. Its URI. Started by root it runs as nobody."""
    is_root = os.geteuid() == 0
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if is_root else []
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    with tempfile.TemporaryDirectory(prefix="kreislauf-pg15-") as name:
        folder = Path(name)
        if is_root:
            shutil.chown(folder, "nobody", "nogroup")
        data, log = folder / "data", folder / "postgres.log"
        subprocess.run(
            [*as_nobody, str(POSTGRES_15 / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8",
             "--locale=C.UTF-8", "--auth=trust", "--no-sync"],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip
        command = [*as_nobody, str(POSTGRES_15 / "postgres"), "-D", str(data), "-k", str(folder), "-h", "",
                   "-c", "fsync=off"]  # fmt: skip
        with _held(command, log, environment, stop=signal.SIGINT):
            uri = f"postgresql://postgres@/postgres?host={quote(str(folder))}"

            def answers() -> bool:
                with contextlib.suppress(psycopg.OperationalError), psycopg.connect(uri):
                    return True
                return False

            _wait(answers, log)
            yield uri


@contextlib.contextmanager
def _held(
    command: Sequence[str],
    log: Path,
    environment: dict[str, str],
    cwd: Path | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Generator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", _HELD, "sh", stop.name.removeprefix("SIG"), *command],
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _wait_for_port(port: int, log: Path) -> None:
    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    _wait(answers, log)


def _wait(ready, log: Path) -> None:
    deadline = time.monotonic() + _WITHIN
    while not ready():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise ServerFailed(f"{log.stem} did not answer within {_WITHIN:.0f} s; its log ends with\n{tail}")
        time.sleep(0.1)
