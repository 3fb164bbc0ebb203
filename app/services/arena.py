"""The arena behind the page: its store and its responses to visitors."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from app.services.client_ip import is_local_address
from app.services.engines import EngineManager
from app.services.identities import Identities
from app.services.leaderboard_cache import LeaderboardCache
from app.services.open_studies import OpenStudies, read_studies
from app.services.own_pairs import draw_own_pair
from app.services.page_metrics import PageMetrics
from app.services.pair_supply import drawable_contestants
from app.services.responses import personal_ranking, reveal_battle
from app.services.reward_scores import RewardScores
from app.services.settings import AppSettings
from hypersd.arena.library.picture_library import PictureLibrary, WatchedLibrary
from hypersd.arena.service.battles import BattleService
from hypersd.arena.service.rate_limit import SHARED, RateLimiter
from hypersd.arena.service.studies import Study
from hypersd.arena.service.vote_rules import VoteRejected
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Battle, Client, Contestant, Vote, account_pseudonym, now, pseudonym
from hypersd.arena.votes.images import DamagedImage, IdenticalImages, ImageStore
from hypersd.arena.votes.keys import VoterKey, voter_key, voters_of_other_keys
from hypersd.arena.votes.receipts import receipt_of, vote_id_of
from hypersd.models.specs import Family
from hypersd.utils.environment import Network

if TYPE_CHECKING:
    from hypersd.arena.dataset.publish import Publisher

log = logging.getLogger(__name__)

PERSONAL_BOARD = 30
"""Number of votes after which a visitor sees their own ranking."""

_LOST_PAIRS = 5
"""Number of pairs with lost pictures after which a draw gives up: more of them have another cause."""

_STRANGERS = (
    "{voters:,} voters of this store voted before {since:%Y-%m-%d %H:%M} UTC, when the current key for pseudonyms "
    "came into use: when they return they count as new voters. If they voted on this page, set HYPERSD_SECRET "
    "to the secret of that time and start the page again"
)


@dataclass
class Arena:
    """Arena of the page: the service behind its tabs and HTTP routes. Thread-safe.

    Args:
        engines: draw the pairs.
        store: of pairs, battles and votes.
        pictures: the folder of pictures.
        key: for voters' pseudonyms.
        reward_scores: a reward model's scores of the pictures.
        publish: location where votes are published and restored from; empty is none.
        declared: the studies of the family, by name.
        low: number of unseen pairs that the pool should have.
        proxies: trusted proxies, which forward visitors' addresses.
        on_space: the page is served by a Hugging Face Space, whose proxy is trusted if there are no others.
        library: pictures that exist already, of any generators, to vote on; None lets the models draw.
    """

    engines: EngineManager
    store: Store
    pictures: ImageStore
    key: VoterKey
    reward_scores: RewardScores
    publish: str = ""
    declared: Mapping[str, Study] = field(default_factory=dict[str, Study])
    low: int = 40
    proxies: Sequence[Network] = ()
    on_space: bool = False
    library: WatchedLibrary | None = None

    def __post_init__(self) -> None:
        self.rate_limiter, self.identities = RateLimiter(), Identities()
        choices = {name: study.choices() for name, study in self.declared.items()}
        self.service = BattleService(self.store, checks={"address": self.rate_limiter.check}, choices=choices)
        self.studies = OpenStudies(self.engines, self.store, self.declared)
        self.leaderboards = LeaderboardCache(self.library.latest.name if self.library else self.family.name)
        self.publisher: Publisher | None = None
        self._strangers = 0
        self.sheet = lru_cache(maxsize=64)(self._sheet)

    @property
    def metrics(self) -> PageMetrics:
        """Counters of the page."""
        return self.engines.metrics

    @property
    def family(self) -> Family:
        """The family of the contestants."""
        return self.engines.family(self.engines.first)

    def voter(self, address: str, token: str, account: str = "") -> str:
        """A visitor's pseudonym, from the account that signed in, otherwise from the token in their browser.

        The address is only used for rate limits.

        Raises:
            VoteRejected: the token is invalid.
        """
        if not (16 <= len(token) <= 64 and token.isascii() and token.replace("-", "").isalnum()):
            raise VoteRejected("the page does not know you any more; load it again")
        voter = pseudonym(self.key.secret, token)
        if account:
            anonymous, voter = voter, account_pseudonym(self.key.secret, account)
            self.identities.connect(anonymous, voter)
        if not is_local_address(address):
            self.rate_limiter.record_voter(pseudonym(self.key.secret, address), voter)
        return voter

    def wait(self, address: str, *, own: bool) -> float:
        """Count a request from an address (one for an own prompt if `own`); seconds that it has to wait, 0 if none."""
        return (
            0.0
            if is_local_address(address)
            else self.rate_limiter.retry_after(pseudonym(self.key.secret, address), own=own)
        )

    def draw(self, voter: str, besides: str = "", study: str | None = None) -> dict[str, Any]:
        """A battle: an opaque name, the prompt, and both pictures in one; `battle` is null while there is none.

        Raises:
            VoteRejected: there is no such study, or it cannot run on this machine; or the visitor has voted more often
                than a person would.
        """
        if study is not None and not self.studies.probabilities(self.studies.find(study)):
            return {"battle": None, "pool": 0}
        for _ in range(_LOST_PAIRS):
            battle = self.service.next_battle(voter, study=study, exclude=besides, alias=self.identities.other(voter))
            if battle is None:
                break
            if sent := self._sent(battle):
                return sent
        return {"battle": None, "pool": self.store.pairs.pool_size(study)}

    def _sent(self, battle: Battle) -> dict[str, Any] | None:
        """A battle as it is sent; None if its pictures are lost or equal, and its pair is withdrawn."""
        try:
            pictures = self.sheet(*(entry.picture for entry in battle.sides))
        except (FileNotFoundError, DamagedImage):
            log.exception("the pictures of a pair are lost; the pair is withdrawn")
        except IdenticalImages:
            log.warning("the pictures of a pair are equal; the pair is withdrawn")
        else:
            return {"battle": battle.id, "prompt": battle.pair.prompt, "sheet": pictures}
        self.store.pairs.withdraw(battle.pair.id)
        return None

    def show(self, voter: str, battle: str) -> dict[str, Any]:
        """Record that the battle is visible to the visitor."""
        self.service.mark_shown(battle, voter)
        return {"battle": battle}

    def vote(self, voter: str, battle: str, choice: str, client: Client) -> dict[str, Any]:
        """Store a vote, then reveal the contestants."""
        vote = self.service.vote(battle, voter, choice, client)
        return self._revealed(vote, lambda: self.store.count_of(voter))

    def vote_and_advance(
        self, voter: str, battle: str, choice: str, client: Client, *, shown: str, study: str | None
    ) -> dict[str, Any]:
        """Store a vote, that `shown` is visible next, and the battle after it: `vote`, `show` and `draw` in one.

        `shown` is true in the answer if it is recorded as shown. `ahead` is a battle as `draw` gives it; it is left out
        if there is none for now or it was refused, and the page then asks for one by `draw`.
        """
        if study is not None and not self.studies.probabilities(self.studies.find(study)):
            return self.vote(voter, battle, choice, client)
        alias = self.identities.other(voter)
        result = self.service.vote_and_advance(battle, voter, choice, client, shown=shown, study=study, alias=alias)
        answer = self._revealed(result.vote, lambda: result.votes) | {"shown": result.shown}
        try:
            ahead = self._sent(result.ahead) if result.ahead else None
        except Exception:
            log.exception("a vote was kept, but the pictures of a battle after it could not be read")
            ahead = None
        return answer | ({"ahead": ahead} if ahead else {})

    def _revealed(self, vote: Vote, count_votes: Callable[[], int]) -> dict[str, Any]:
        """The contestants of a stored vote, its receipt, and what its voter has given so far.

        A failure here must not look like a rejected vote.
        """
        self.metrics.count_vote(vote.choice)
        answer = reveal_battle(self.engines, vote) | {"receipt": receipt_of(self.key.secret, vote.id)}
        try:
            count, voter = count_votes(), vote.battle.voter
            counted = self.progress(voter) if count % 10 == 0 else {"votes": count, "personal_from": PERSONAL_BOARD}
            study = self.declared.get(vote.battle.pair.study or "")
            self.studies.counting.add([vote])
            return {**answer, **({"study": self.studies.describe(study)} if study else {}), **counted}
        except Exception:
            log.exception("a vote was kept, but its voter's votes could not be counted")
            return answer

    def undo(self, voter: str, battle: str) -> dict[str, Any]:
        """Take back the visitor's last vote."""
        vote = self.service.undo(battle, voter)
        study = self.declared.get(vote.battle.pair.study or "")
        counts = {"votes": self.store.count_of(voter), "personal_from": PERSONAL_BOARD}
        self.studies.counting.add([vote])
        return {"battle": battle, **counts, **({"study": self.studies.describe(study)} if study else {})}

    def receipt(self, receipt: str) -> dict[str, Any] | None:
        """State of the vote of a receipt; None if there is none. It reveals nothing else of the vote."""
        vote_id = vote_id_of(self.key.secret, receipt)
        vote = self.store.vote(vote_id) if vote_id else None
        if vote is None:
            return None
        return {"kept": True, "withdrawn": vote.withdrawn is not None, "day": f"{vote.voted:%Y-%m-%d}"}

    def warnings(self) -> list[str]:
        """Warnings for the page's owner about votes that do not count, or voters with lost pseudonyms."""
        items = [_STRANGERS.format(voters=self._strangers, since=self.key.since)] if self._strangers else []
        if voters := self.rate_limiter.crowded():
            items.append(SHARED.format(voters=voters, most=self.rate_limiter.limits.voters_an_hour))
        if self.rate_limiter.marked:
            items.append(
                f"{self.rate_limiter.marked:,} votes since the start do not count: they came from such an address"
            )
        return items

    def check_key(self) -> None:
        """Look for voters with pseudonyms of another key, and log it once if there are any."""
        before, self._strangers = self._strangers, voters_of_other_keys(self.store.engine, self.key)
        if self._strangers and not before:
            log.warning(_STRANGERS.format(voters=self._strangers, since=self.key.since))

    def answer(self, voter: str, battle: str, choice: str) -> dict[str, Any]:
        """Store the answer to the second question."""
        self.service.answer(battle, voter, choice)
        return {"battle": battle}

    def own(self, voter: str, prompt: str) -> dict[str, Any]:
        """Draw a pair for a visitor's own prompt; only they see it, and it is never in the public ranking.

        Raises:
            ValueError: the prompt cannot be drawn.
            VoteRejected: the models are not ready, a contestant failed, or this arena has pictures and no models.
            GPURefused: the visitor gets no GPU.
        """
        if self.library:
            raise VoteRejected("this arena shows pictures that exist already; it cannot draw new ones")
        pair, warnings = draw_own_pair(self.engines, (self.store, self.pictures), self.labels(), voter, prompt)
        battle = self.service.custom_battle(pair, voter)
        return {
            "battle": battle.id,
            "prompt": pair.prompt,
            "sheet": self.sheet(*(entry.picture for entry in battle.sides)),
            "warnings": warnings,
        }

    def progress(self, voter: str) -> dict[str, Any]:
        """A visitor's number of votes, their own ranking if they have enough votes, and the progress of studies."""
        votes, today = self.store.counts_of(voter, now().replace(hour=0, minute=0, second=0, microsecond=0))
        ranking = personal_ranking(self.engines, self._standing_votes(voter)) if votes >= PERSONAL_BOARD else []
        studies = [self.studies.describe(study) for study in self.declared.values()]
        return {
            "votes": votes,
            "today": today,
            "personal": ranking,
            "personal_from": PERSONAL_BOARD,
            "studies": studies,
        }

    def _standing_votes(self, voter: str) -> list[Vote]:
        return [vote for vote in self.store.votes_of(voter) if vote.withdrawn is None]

    def labels(self) -> list[str]:
        """Labels of the contestants that can run on this machine, or have pictures here, and are not benched."""
        benched = self.store.bench.reasons()
        return [contestant.label for contestant in self._contestants() if contestant not in benched]

    def _contestants(self) -> Sequence[Contestant]:
        if self.library:
            return self.library.current().contestants
        return drawable_contestants(self.engines)

    def _sheet(self, left: str, right: str) -> str:
        return f"data:image/webp;base64,{base64.b64encode(self.pictures.sheet(left, right)).decode()}"


def open_arena(engines: EngineManager, settings: AppSettings) -> Arena | None:
    """The arena of the settings; None, with the reason in the log, if its store cannot be opened."""
    try:
        store, pictures = settings.storage.open()
        key = voter_key(store.engine, settings.secret, settings.storage.data / "voters.key")
        library = PictureLibrary.read(settings.storage.data)
    except Exception:
        log.exception("the arena stays closed: its votes cannot be kept")
        return None
    declared = {} if library else read_studies(settings.studies, engines.first)
    reward_scores = RewardScores(pictures, settings.storage.loop, settings.reward, engines.busy)
    arena = Arena(
        engines,
        store,
        pictures,
        key,
        reward_scores,
        settings.publish,
        declared,
        proxies=settings.proxies,
        on_space=bool(settings.space),
        library=WatchedLibrary(library) if library else None,
        low=settings.pool,
    )
    arena.check_key()
    return arena
