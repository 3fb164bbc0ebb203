"""Several replicas of the arena on one PostgreSQL, behind nginx with the configuration of docker/nginx.conf."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from benchmarks.cpu_quota import cpu_quota
from benchmarks.postgres import Postgres, running_postgres
from benchmarks.served import ROOT, STILL, Server, process_cpu_ms
from benchmarks.startup import free_port

_HTTP = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


@dataclass
class Replicas:
    """Replicas behind nginx; it is used like one `Server`.

    Args:
        servers: the replicas.
        nginx: its process.
        port: at which it listens.
        database: of all replicas.
    """

    servers: Sequence[Server]
    nginx: subprocess.Popen[bytes]
    port: int
    database: Postgres
    url_of_votes: str
    _victims: Iterator[Server] = field(init=False)
    _killed: list[Server] = field(default_factory=list[Server])

    def __post_init__(self) -> None:
        self._victims = itertools.cycle(self.servers)

    @property
    def url(self) -> str:
        """Address of nginx."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the replicas again that were killed."""
        while self._killed:
            self._killed.pop().start()

    def kill(self) -> None:
        """Kill the next replica without warning."""
        server = next(self._victims)
        server.kill()
        self._killed.append(server)

    def cpu_ms(self) -> float:
        """Milliseconds of the processor that the replicas have used since they started."""
        return sum(server.cpu_ms() for server in self.servers)

    def database_cpu_ms(self) -> float:
        """Likewise, all processes of the database that still run."""
        root = psutil.Process(self.database.pid)
        return sum(process_cpu_ms(process.pid) for process in (root, *root.children()))

    def proxy_cpu_ms(self) -> float:
        """Likewise, nginx."""
        return process_cpu_ms(self.nginx.pid)

    def memory_mib(self, name: str = "VmRSS") -> float:
        """The memory of all replicas, in MiB."""
        return sum(server.memory_mib(name) for server in self.servers)


@contextmanager
def running_replicas(folder: Path, count: int, pairs: int = 2000, share: float | None = None) -> Generator[Replicas]:
    """So many replicas without models, their database and nginx, while they run.

    Args:
        folder: of the replicas' data.
        count: of replicas.
        pairs: in the pool.
        share: of one core that each replica gets; None is as much as there is.

    Raises:
        FileNotFoundError: PostgreSQL or nginx is not installed.
        OSError: the processor's time cannot be shared out.
        RuntimeError: one of them does not start.
    """
    if not shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin"):
        raise FileNotFoundError("needs nginx: apt-get install nginx-light")
    with running_postgres(options=()) as database, ExitStack() as quotas:
        url = database.database("replicas")
        command = (*STILL, "--pairs", str(pairs))
        servers = [Server(folder / "data", command, {"DATABASE_URL": url}) for _ in range(count)]
        nginx, port = None, free_port()
        try:
            for server in servers:  # one after another: the first one adds the pairs
                server.start()
                if share is not None and server.process:
                    quotas.enter_context(cpu_quota(server.process.pid, share))
            nginx = _start_nginx(folder, port, servers)
            yield Replicas(servers, nginx, port, database, url)
        finally:
            for server in servers:
                server.kill()
            if nginx:
                nginx.send_signal(signal.SIGTERM)
                nginx.wait()


def _start_nginx(folder: Path, port: int, servers: Sequence[Server]) -> subprocess.Popen[bytes]:
    replicas = "".join(f"    server 127.0.0.1:{server.port};\n" for server in servers)
    site = (ROOT / "docker" / "nginx.conf").read_text()
    site = site.replace("    server app:7860;\n", replicas).replace("listen 80;", f"listen 127.0.0.1:{port};")
    file = folder / "nginx.conf"
    file.write_text(_HTTP.format(folder=folder, site=site))
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(file)], stderr=subprocess.DEVNULL)
    while process.poll() is None:
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/")
            return process
        time.sleep(0.05)
    raise RuntimeError(f"nginx ended; see {folder}/error.log")
