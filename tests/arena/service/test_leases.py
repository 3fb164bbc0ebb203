"""Two workers that fill one pool: they share its pairs, and one takes over what a killed one was drawing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from hypersd.arena.service.pool import PairPool
from hypersd.arena.store.leases import Lease, PairPlan
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import Contestant, now
from tests.arena.conftest import pair
from tests.arena.squares import Squares, working

PLAN = PairPlan(
    study=None,
    prompt="a cat",
    prompt_set="emoji-v1",
    seed=7,
    contestants=(Contestant("emoji", "hyper", 4), Contestant("emoji", "base", 25)),
    probability=1,
    gold=False,
)
LASTS = timedelta(seconds=1)

_WORKER = """
import sys, time
from datetime import timedelta
from pathlib import Path
import numpy as np
from hypersd.arena.service import pool as pools
from hypersd.arena.store.store import Store
from tests.arena.squares import Squares, working

class Slow(Squares):
    def __call__(self, prompt, seed, contestants):
        print(seed, flush=True)
        time.sleep(600)

pools.GOLD_SHARE = 0  # a gold pair is beyond those that the pool needs
pool = working(Store(sys.argv[1]), Path(sys.argv[2]), Slow(), low=4)
pool.rng = np.random.default_rng(1)
pool.lease = timedelta(seconds=0.6)
pool.add_leased_pair(pool.sources[0])
"""


def test_a_killed_worker_s_pair_is_drawn_by_another_one_and_the_pool_is_full_just_once(
    store: Store, url: str, tmp_path: Path
) -> None:
    other = subprocess.Popen([sys.executable, "-c", _WORKER, url, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout
    seed = int(other.stdout.readline())
    pool = working(store, tmp_path, Squares(), low=4)
    source = pool.sources[0]
    while pool.next_source_to_fill():
        pool.add_leased_pair(source)
    assert store.pairs.pool_size(None) == 3, "the other one is drawing the fourth"
    time.sleep(0.7)
    assert store.leases.count(None, now()) == 1, "it renews its lease"
    assert pool.add_leased_pair(source) is None
    assert seed not in {drawn.seed for drawn in store.pairs.select()}
    other.kill()
    other.wait()
    other.stdout.close()
    while (taken := pool.add_leased_pair(source)) is None:
        time.sleep(0.05)
    assert taken.seed == seed
    assert (store.pairs.pool_size(None), pool.next_source_to_fill()) == (4, None)


def test_a_lease_belongs_to_one_worker(store: Store) -> None:
    leases, moment = store.leases, now()
    first = leases.take("ann", PLAN, 3, moment, LASTS)
    assert first is not None
    assert leases.take("ben", PLAN, 3, moment, LASTS) is None, "the same pair"
    assert leases.prompts(None) == {"a cat": 1}
    later = first.expires
    assert leases.take_over("ben", "a study", later, LASTS) is None
    taken = leases.take_over("ben", None, later, LASTS)
    assert taken == Lease(id=first.id, worker="ben", expires=later + LASTS, plan=PLAN)
    assert leases.take_over("cyd", None, later, LASTS) is None
    leases.renew(first, later + 9 * LASTS)
    leases.give_back(first)
    assert not leases.finish(first, pair()), "it is Ben's now"
    assert leases.finish(taken, pair())
    assert not leases.finish(taken, pair())
    assert (store.pairs.pool_size(None), leases.count(None, later)) == (1, 0)


def test_workers_that_look_at_once_take_no_more_than_the_pool_needs(store: Store, tmp_path: Path) -> None:
    pools: list[PairPool] = [working(store, tmp_path, Squares(), low=5) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda pool=pool: [pool.add_leased_pair(pool.sources[0]) for _ in range(20)])
        for pool in pools
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.pairs.pool_size(None) == 5
    assert store.leases.count(None, now()) == 0


def test_what_cannot_be_drawn_is_not_left_to_others(store: Store, tmp_path: Path) -> None:
    contestants = {Contestant("emoji", *named) for named in (("hyper", 4), ("base", 25), ("turbo", 1))}
    pool = working(store, tmp_path, Squares(broken=contestants))
    assert pool.add_leased_pair(pool.sources[0]) is None
    assert store.leases.take_over("ben", None, now() + timedelta(hours=1), LASTS) is None
