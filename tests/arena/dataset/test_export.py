"""The dataset: exported, loaded with `datasets`, used like its consumers do, and imported again."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import evalica
import numpy as np
import pytest
from datasets import load_dataset
from PIL import Image

from hypersd.arena.dataset.export import export, split_of
from hypersd.arena.dataset.formats import FORMATS, Format
from hypersd.arena.dataset.importing import import_votes
from hypersd.arena.ranking.leaderboard import compute_leaderboard
from hypersd.arena.store.store import Store
from hypersd.arena.votes.battle import CHOICES, Battle, Client, Contestant, Entry, Kind, Pair, Vote, now
from hypersd.arena.votes.images import ImageStore
from tests.arena.voted import vote as cast

NASTY = ["=HYPERLINK(1)", "<script>alert(1)</script>", "\u202ea cat", "a 🦊 | on a ```row```"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite is enough here: the store itself is tested on both databases."""
    return f"sqlite:///{tmp_path}/arena.sqlite"


@pytest.fixture
def votes(store: Store, pictures: ImageStore) -> list[Vote]:
    """A hundred votes on forty pairs, with all choices, gold pairs, and simulated votes."""
    rng = np.random.default_rng(0)
    models = [Contestant("emoji", name, 4) for name in ("base", "hyper", "turbo")]
    prompts = [*NASTY, *(f"a cat number {index}" for index in range(30))]
    pairs = []
    for number in range(40):
        first, other = rng.choice(3, 2, replace=False)
        entries = tuple(
            Entry(
                contestant=models[index],
                picture=pictures.put(
                    Image.fromarray(np.full((8, 8, 3), (number, 90 * index, 7 * index), dtype=np.uint8))
                ),
                seconds=0.5,
                calls=4,
                version="v",
            )
            for index in (first, other)
        )
        pairs.append(
            Pair(
                prompt=prompts[number % len(prompts)],
                prompt_set="emoji-v1",
                seed=number,
                entries=(entries[0], entries[1]),
                probability=1 / 3,
                gold=0 if number % 10 == 9 else None,
                software={"torch": "2"},
                device="cpu",
            )
        )
        store.pairs.add(pairs[-1])
    start = now()
    cast_votes = []
    for number in range(100):
        pair = pairs[number % 40]
        moment = start + timedelta(seconds=7 * number)
        battle = Battle(
            pair=pair,
            swapped=bool(rng.integers(2)),
            voter=f"voter-{number // 40}-{number % 4}",
            kind="simulated" if number % 4 == 3 else "human",
            purpose="gold" if pair.gold is not None else "open",
            drawn=moment,
            shown=moment,
            expires=moment + timedelta(minutes=5),
        )
        store.battles.add(battle)
        choice = CHOICES[int(rng.choice(5, p=[0.4, 0.3, 0.15, 0.1, 0.05]))]
        client = Client(decision_ms=1500, input="key")
        vote = Vote(battle=battle, choice=choice, client=client, gates={"captcha": "unavailable"}, voted=moment)
        store.add_vote(vote)
        cast_votes.append(vote)
    store.add_answer(cast_votes[0].battle.id, "left", start)
    cast_votes[0] = replace(cast_votes[0], knowing_time="left")
    return cast_votes


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_opens_with_datasets(
    votes: list[Vote], pictures: ImageStore, tmp_path: Path, form: Format
) -> None:
    done = export(votes, pictures, form, tmp_path / "out", kind="human")
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == dict(done.rows)
    assert sum(done.rows.values()) > 10
    for split, rows in loaded.items():
        for row in rows:
            assert split_of(row.get("prompt") or row["caption"]) == split
            assert row["kind"] == "human"


def test_the_arena_format_has_every_vote_with_its_reason_for_dropping(
    votes: list[Vote], pictures: ImageStore, tmp_path: Path
) -> None:
    export(votes, pictures, "arena", tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    rows = {row["vote_id"]: row for split in loaded.values() for row in split}
    mine = [vote for vote in votes if vote.battle.kind == "human"]
    assert set(rows) == {vote.id for vote in mine}
    for vote in mine:
        row, (left, right) = rows[vote.id], vote.battle.sides
        assert (row["prompt"], row["choice"]) == (vote.battle.pair.prompt, vote.choice)
        assert (row["model_a"], row["model_b"]) == (left.contestant.label, right.contestant.label)
        assert (row["steps_a"], row["steps_b"]) == (4, 4)
        assert np.array_equal(np.asarray(row["image_a"].convert("RGB")), np.asarray(pictures.open(left.picture)))
        assert (row["dropped"] is not None) == (vote.battle.purpose == "gold" or vote.choice in {"skip", "both_bad"})


def test_evalica_ranks_the_arena_format(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    export(votes, pictures, "arena", tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    rows = [row for split in loaded.values() for row in split if row["dropped"] is None]
    kinds = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    evalica_fit = evalica.bradley_terry(
        [row["model_a"] for row in rows], [row["model_b"] for row in rows], [kinds[row["winner"]] for row in rows]
    )
    ours = compute_leaderboard(votes)
    assert ours.kept == len(rows)
    assert set(evalica_fit.scores.index) == set(ours.contestants)


def test_diffusers_dpo_script_reads_the_pickapic_format(
    votes: list[Vote], pictures: ImageStore, tmp_path: Path
) -> None:
    """As `preprocess_train` of its train_diffusion_dpo_sdxl.py does."""
    export(votes, pictures, "pickapic", tmp_path / "out", drop_ties=True)
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    by_moment = {vote.voted: vote for vote in votes}
    for row in rows:
        pictures_of = [Image.open(io.BytesIO(row[name])).convert("RGB") for name in ("jpg_0", "jpg_1")]
        if row["label_0"] == 0:
            pictures_of.reverse()
        vote = by_moment[row["created_at"]]
        assert vote.winner is not None
        assert np.array_equal(np.asarray(pictures_of[0]), np.asarray(pictures.open(vote.winner.picture)))
        assert row["caption"] == vote.battle.pair.prompt
    assert set(rows["label_0"]) <= {0.0, 1.0}
    every = [
        row
        for split in load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")).values()
        for row in split
    ]
    assert all(row["num_example_per_prompt"] == sum(one["caption"] == row["caption"] for one in every) for row in every)


def test_pickapic_has_the_columns_of_pick_a_pic(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    """The columns of its card on the Hub, and the kind of voter."""
    export(votes, pictures, "pickapic", tmp_path / "out")
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    listed = (
        "are_different best_image_uid caption created_at has_label image_0_uid image_0_url image_1_uid image_1_url "
        "jpg_0 jpg_1 label_0 label_1 model_0 model_1 ranking_id user_id num_example_per_prompt"
    )
    assert set(rows.column_names) == {*listed.split(), "kind"}
    kinds = {name: feature.dtype for name, feature in rows.features.items()}
    assert {kinds[name] for name in ("jpg_0", "jpg_1")} == {"binary"}
    assert {kinds[name] for name in ("ranking_id", "user_id", "num_example_per_prompt")} == {"int64"}
    assert {kinds[name] for name in ("label_0", "label_1")} == {"float64"}


def test_ties_are_half_for_each_unless_dropped(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    export(votes, pictures, "pickapic", tmp_path / "out")
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert 0.5 in rows["label_0"]
    assert all(one + other == 1 for one, other in zip(rows["label_0"], rows["label_1"], strict=True))


def test_preferences_are_the_winner_and_the_loser(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    export(votes, pictures, "preference", tmp_path / "out")
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    expected = {
        (vote.battle.pair.prompt, pictures.open(vote.winner.picture).tobytes())
        for vote in votes
        if vote.winner and vote.battle.kind == "human" and vote.battle.purpose == "open"
    }
    assert {(row["prompt"], row["chosen"].convert("RGB").tobytes()) for row in rows} <= expected


def test_simulated_votes_are_a_separate_dataset(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    done = export(votes, pictures, "arena", tmp_path / "out", kind="simulated")
    assert sum(done.rows.values()) == 25
    assert "every vote is simulated" in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(ValueError, match="no simulated votes"):
        export([vote for vote in votes if vote.battle.kind == "human"], pictures, "arena", tmp_path, kind="simulated")


def test_the_card_describes_the_data(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    export(votes, pictures, "arena", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| votes | 75 |" in card
    assert "`emoji/hyper@4`" in card
    assert "| gold pair |" in card
    assert not any(text in card for text in NASTY), "prompts are data, not text of the card"


def test_data_cannot_add_markup_to_the_card(store: Store, pictures: ImageStore, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\u202e|[x](javascript:y)\n# Heading `"
    votes = [cast(store, pictures, number, models=(evil, "b"), device=evil) for number in range(3)]
    export(votes, pictures, "arena", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    for words in ("<script", "\u202e", "\n# Heading"):
        assert words not in card
    device = next(line for line in card.splitlines() if line.startswith("| drawn on"))
    assert "[x](" not in device
    assert device.count("|") == 3, "one row of two cells"
    contestants = next(line for line in card.splitlines() if line.startswith("Contestants: "))
    assert contestants.count("`") == 4, "code, and nothing but code"
    assert card.count("# Votes from a blind arena of image models") == 1


def test_a_foreign_readme_is_not_overwritten(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# My project")
    with pytest.raises(ValueError, match="choose another folder"):
        export(votes, pictures, "arena", tmp_path)
    assert (tmp_path / "README.md").read_text() == "# My project"
    assert not list(tmp_path.glob("*.parquet"))


def picture_file(pictures: ImageStore, name: str) -> Path:
    return Path(pictures.root) / name[:2] / f"{name}.webp"


def test_a_failed_export_leaves_the_previous_one(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(votes, pictures, "arena", out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    for vote in votes:
        for entry in vote.battle.pair.entries:
            picture_file(pictures, entry.picture).unlink(missing_ok=True)
    with pytest.raises(ValueError, match="75 are left out, since a picture cannot be read"):
        export(votes, pictures, "arena", out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


@pytest.mark.parametrize("form", FORMATS)
def test_votes_with_a_lost_picture_are_left_out_and_counted(
    votes: list[Vote], pictures: ImageStore, tmp_path: Path, form: Format
) -> None:
    whole = export(votes, pictures, form, tmp_path / "whole")
    assert (whole.left_out, whole.lost) == (0, "")
    mine = [vote for vote in votes if vote.battle.kind == "human" and vote.winner and not vote.battle.pair.gold]
    missing, damaged = (vote.battle.pair.entries[0].picture for vote in (mine[0], mine[1]))
    picture_file(pictures, missing).unlink()
    picture_file(pictures, damaged).write_bytes(b"RIFF, and then nothing")
    done = export(votes, pictures, form, tmp_path / "out")
    assert done.left_out >= 2
    assert missing[:12] in done.lost or damaged[:12] in done.lost
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"| left out, since a picture is missing or damaged | {done.left_out} |" in card
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == dict(done.rows)
    if form in {"arena", "pickapic"}:
        assert sum(whole.rows.values()) - sum(done.rows.values()) == done.left_out
    lost = {missing, damaged}
    names = ("picture_a", "picture_b") if form == "arena" else ("image_0_uid", "image_1_uid")
    for split in loaded.values():
        assert not any(lost & {row.get(name) for name in names} for row in split)


def test_foreign_files_are_kept_and_named(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    own = {f"{split}.parquet": split.encode() for split in ("train", "validation", "test")}
    for name, data in own.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=r"test\.parquet, train\.parquet, validation\.parquet"):
        export(votes, pictures, "arena", tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in own} == own
    assert not (tmp_path / "README.md").exists()


def test_a_file_beside_an_export_stays(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    train = [vote for vote in votes if split_of(vote.battle.pair.prompt) == "train"]
    export(train, pictures, "arena", out)
    (out / "notes.txt").write_text("mine")
    export(train, pictures, "arena", out)
    assert (out / "notes.txt").read_text() == "mine"
    (out / "test.parquet").write_text("mine, too: the export had no such split")
    with pytest.raises(ValueError, match=r"contains test\.parquet"):
        export(votes, pictures, "arena", out)
    assert (out / "test.parquet").read_text().startswith("mine")


@pytest.mark.parametrize(("form", "kind"), [("pickapic", "human"), ("arena", "simulated")])
def test_an_export_of_another_kind_is_not_replaced(
    votes: list[Vote], pictures: ImageStore, tmp_path: Path, form: Format, kind: Kind
) -> None:
    export(votes, pictures, "arena", tmp_path / "out")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    with pytest.raises(ValueError, match="output of `hypersd votes export --format arena --kind human`"):
        export(votes, pictures, form, tmp_path / "out", kind=kind)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_a_smaller_export_leaves_no_rows_of_the_previous_one(
    votes: list[Vote], pictures: ImageStore, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert len(export(votes, pictures, "arena", out).files) > 1
    last = [vote for vote in votes if vote.battle.kind == "human" and split_of(vote.battle.pair.prompt) == "train"][:1]
    assert dict(export(last, pictures, "arena", out).rows) == {"train": 1}
    loaded = load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 1}


def test_importing_an_export_twice_changes_nothing(votes: list[Vote], pictures: ImageStore, tmp_path: Path) -> None:
    export(votes, pictures, "arena", tmp_path / "out")
    other, elsewhere = Store(f"sqlite:///{tmp_path}/other.sqlite"), ImageStore(str(tmp_path / "elsewhere"))
    counts = [import_votes(tmp_path / "out", other, elsewhere) for _ in range(2)]
    assert [(one.votes, one.new) for one in counts] == [(75, 75), (75, 0)]
    back = {vote.id: vote for vote in other.votes()}
    for vote in votes:
        if vote.battle.kind == "human":
            assert back[vote.id] == vote
            assert elsewhere.get(vote.battle.sides[0].picture) == pictures.get(vote.battle.sides[0].picture)
    other.engine.dispose()


def test_a_foreign_or_damaged_file_is_named(
    votes: list[Vote], store: Store, pictures: ImageStore, tmp_path: Path
) -> None:
    export(votes, pictures, "preference", tmp_path / "out")
    for file, words in (
        (tmp_path / "out" / "train.parquet", "neither the columns"),
        (tmp_path / "broken.parquet", "damaged"),
    ):
        if not file.exists():
            file.write_bytes(b"PAR1 nothing")
        with pytest.raises(ValueError, match=words) as raised:
            import_votes(file, store, pictures)
        assert file.name in str(raised.value)
    with pytest.raises(FileNotFoundError):
        import_votes(tmp_path / "nowhere", store, pictures)


def test_an_export_of_an_older_release_is_known_by_its_card(
    votes: list[Vote], pictures: ImageStore, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(votes, pictures, "pickapic", out)
    lines = (out / "README.md").read_text().splitlines(keepends=True)
    (out / "README.md").write_text("".join(line for line in lines if "left out" not in line))
    assert export(votes, pictures, "pickapic", out).rows
    with pytest.raises(ValueError, match="output of `hypersd votes export --format pickapic --kind human`"):
        export(votes, pictures, "preference", out)
