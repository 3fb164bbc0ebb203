"""Settings of the app.

Gradio reads the address of the server itself: `GRADIO_SERVER_NAME`, `GRADIO_SERVER_PORT`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from hypersd.arena.service.studies import STUDIES
from hypersd.arena.storage import StorageConfig
from hypersd.models.registered import registered_folder, with_registered
from hypersd.models.registry import FAMILIES, embedded_folder, living_in
from hypersd.models.specs import Family
from hypersd.utils.environment import DrawingPlace, Environment, Network

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """Settings of the app.

    Args:
        family: the family shown first (`HYPERSD_FAMILY`); the registry's first unless set.
        emoji: folder of the embedded family, if not in assets/ (`HYPERSD_EMOJI`).
        storage: of the arena's votes and pictures (`HYPERSD_DATA`, `DATABASE_URL`, `HYPERSD_PICTURES`).
        bases: that visitors may choose beside the families' own (`HYPERSD_BASES`), as `SOURCE` or `NAME=SOURCE`.
        studies: the folder of declared studies, if not the one in assets/ (`HYPERSD_STUDIES`).
        publish: location of published votes (`HYPERSD_PUBLISH`): a folder or `hf://datasets/OWNER/NAME`.
        pool: number of pairs that the open arena keeps ready (`HYPERSD_POOL`).
        secret: the key for voters' pseudonyms (`HYPERSD_SECRET`); empty is a key that is stored with the votes.
        proxies: trusted proxies, which forward visitors' addresses (`HYPERSD_TRUSTED_PROXIES`).
        reward: a folder of `reward train` whose model is used on the Results tab (`HYPERSD_REWARD`); None is the
            newest of the feedback loop.
        owner_token: token of the page's owner (`HYPERSD_OWNER_TOKEN`); empty disables it.
        owner_name: sign-in name of the owner (`SPACE_AUTHOR_NAME`, on a Space with `OAUTH_CLIENT_ID`); empty disables
            signing in.
        signs_in: visitors can sign in with their Hugging Face account (on a Space with `OAUTH_CLIENT_ID`).
        hosts: host names of the Space (`SPACE_HOST`).
        drawing: where the arena's pairs are drawn (`HYPERSD_DRAWING`); None is a process of their own, unless the
            weights are downloaded ones, which are too large to be in memory twice.
        space: name of the Hugging Face Space that serves the page, behind its proxy (`SPACE_ID`); empty elsewhere.
    """

    family: str = next(iter(FAMILIES))
    emoji: Path | None = None
    storage: StorageConfig = field(default_factory=StorageConfig)
    bases: tuple[str, ...] = ()
    studies: Path = STUDIES
    pool: int = 40
    secret: str = field(default="", repr=False)
    proxies: tuple[Network, ...] = ()
    publish: str = ""
    reward: Path | None = None
    owner_token: str = field(default="", repr=False)
    owner_name: str = ""
    signs_in: bool = False
    hosts: tuple[str, ...] = ()
    drawing: DrawingPlace | None = None
    space: str = ""

    @classmethod
    def from_environment(cls, environment: Environment | None = None) -> AppSettings:
        """The settings of an environment, by default this process's.

        Raises:
            ValueError: `HYPERSD_FAMILY` names no family, `HYPERSD_EMOJI` or `HYPERSD_STUDIES` no folder,
                `HYPERSD_REWARD` no reward model, or a variable has an invalid value.
        """
        environment = environment or Environment.read()
        family, studies, reward = environment.family or cls().family, environment.studies, environment.reward
        # Elsewhere Gradio's sign-in is a mock, with which everybody is the owner of this machine's token.
        signs_in = environment.signs_in and bool(environment.space) and environment.platform == "spaces"
        if family not in FAMILIES:
            raise ValueError(f"HYPERSD_FAMILY is {family!r}; choose from: {', '.join(FAMILIES)}")
        if studies and not studies.is_dir():
            raise ValueError(
                f"HYPERSD_STUDIES is {str(studies)!r}, which is no folder; unset it for those that are shipped"
            )
        if reward and not (reward / "reward.json").is_file():
            raise ValueError(
                f"HYPERSD_REWARD is {str(reward)!r}, which holds no reward model; make one with `reward train`"
            )
        return cls(
            family=family,
            emoji=embedded_folder(environment),
            storage=StorageConfig.from_environment(environment),
            bases=environment.bases,
            studies=studies or STUDIES,
            secret=environment.secret,
            proxies=environment.proxies,
            pool=environment.pool,
            publish=environment.publish,
            reward=reward,
            owner_token=environment.owner_token,
            owner_name=environment.space_author if signs_in else "",
            signs_in=signs_in,
            hosts=environment.space_hosts,
            drawing=environment.drawing,
            space=environment.space,
        )

    @property
    def registered(self) -> Path:
        """The folder of the contestants tuned on this machine."""
        return registered_folder(self.storage.data)

    @property
    def draws(self) -> DrawingPlace:
        """The place where the arena's pairs are drawn."""
        return self.drawing or ("apart" if self.families()[self.family].folder else "here")

    def families(self) -> dict[str, Family]:
        """All families, with the embedded one of the settings, and the contestants tuned on this machine.

        If a contestant is damaged, all of them are left out, with the reason in the log, so that the page still starts.
        """
        families = {name: living_in(self.emoji, family) for name, family in FAMILIES.items()}
        try:
            return {name: with_registered(family, self.registered) for name, family in families.items()}
        except ValueError as error:
            log.error("no contestant that was made here takes part: %s", error)  # noqa: TRY400 - the message says it
            return families
