"""Storage of the arena's votes and pictures, shared by the page and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from hypersd.arena.store.database import name_of
from hypersd.arena.store.store import Store
from hypersd.arena.votes.images import ImageStore
from hypersd.utils.environment import Environment
from hypersd.utils.errors import gist


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """Locations of votes and pictures.

    Args:
        data: the default folder (`HYPERSD_DATA`); on a local disk, not a network mount.
        database: of the votes, in SQLAlchemy's form (`DATABASE_URL`); empty means SQLite in the data folder.
        pictures: folder or bucket of the pictures (`HYPERSD_PICTURES`); empty means in the data folder.
    """

    data: Path = Path("data")
    database: str = ""
    pictures: str = ""

    @classmethod
    def from_environment(cls, environment: Environment) -> StorageConfig:
        """The locations set in the environment."""
        return cls(data=environment.data, database=environment.database, pictures=environment.pictures)

    @property
    def loop(self) -> Path:
        """The folder of the feedback loop's rounds."""
        return self.data / "loop"

    @property
    def url(self) -> str:
        """The database of the votes, in SQLAlchemy's form."""
        return self.database or f"sqlite:///{self.data}/arena.sqlite"

    def open(self) -> tuple[Store, ImageStore]:
        """The vote store and the folder of pictures.

        Raises:
            ValueError, OSError, sqlalchemy.exc.SQLAlchemyError: as `Store`.
        """
        return Store(self.url), ImageStore(self.pictures or str(self.data / "pictures"))


def open_storage() -> tuple[Store, ImageStore]:
    """The vote store and the folder of pictures set in the environment.

    Raises:
        ValueError: the database URL is invalid, or the database does not answer.
    """
    storage = StorageConfig.from_environment(Environment.read())
    try:
        return storage.open()
    except SQLAlchemyError as error:
        name = name_of(make_url(storage.url))
        raise ValueError(f"the vote store, {name}, does not answer ({gist(error)}); check DATABASE_URL") from error
