"""A PostgreSQL server of one's own, for tests and benchmarks: in a temporary folder, on a Unix socket only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text


@dataclass(frozen=True)
class Postgres:
    """A server.

    Args:
        binaries: folder of its programs.
        folder: of its data and its socket.
        options: of the server; by default it does not wait for the disk, as tests may.
    """

    binaries: Path
    folder: Path
    options: Sequence[str] = ("-c", "fsync=off")

    @property
    def url(self) -> str:
        """URL of the database `postgres`, in SQLAlchemy's form."""
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}"

    @property
    def pid(self) -> int:
        """The process that starts the others."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url.replace("/postgres?", f"/{name}?")

    def start(self) -> None:
        """Start the server."""
        self.control("start", "-o", f"-k {self.folder} -c listen_addresses='' {' '.join(self.options)}")

    def stop(self) -> None:
        """Stop it at once."""
        self.control("stop", "-m", "immediate")

    def control(self, *words: str) -> None:
        """Run pg_ctl; a root user has to become `postgres`, since the server refuses to run as root."""
        become = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        command = [*become, str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), "-w", *words]
        # Into a file: pg_ctl leaves the server running, which would keep a pipe open.
        with (self.folder / "log").open("ab") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log)


@contextmanager
def running_postgres(options: Sequence[str] = Postgres.options) -> Generator[Postgres]:
    """A running server.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    binaries = programs[-1].parent if programs else Path(shutil.which("pg_ctl") or "/").parent
    if not (binaries / "pg_ctl").exists():
        raise FileNotFoundError("needs PostgreSQL: apt-get install postgresql")
    # Not pytest's own temporary folder: the user `postgres` has no access to it.
    with tempfile.TemporaryDirectory(prefix="hypersd-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        server = Postgres(binaries, folder, options)
        server.control("initdb", "-o", "-A trust -U postgres")
        server.start()
        try:
            yield server
        finally:
            server.stop()
