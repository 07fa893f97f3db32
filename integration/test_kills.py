"""Processes killed at random moments: what was saved is whole, and what goes on ends the same.

``make test`` kills two of each kind, ``make fuzz`` thirty (``SAETM_KILLS``).
"""

import contextlib
import json
import multiprocessing
import os
import subprocess
import time

import numpy as np
import pytest

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.corpus.embed import embed_file, save_shard
from saetm_plugins.evaluation.chat import AnswerCache
from saetm_plugins.files.shards import save_texts
from saetm_plugins.octis.data import read_cached, write_cached
from saetm_plugins.scale import sources

KILLS = int(os.environ.get("SAETM_KILLS", "2"))
RNG = np.random.default_rng(0)
THEMES = RNG.integers(4, size=200)
EMBEDDINGS = (np.eye(4, 16)[THEMES] + 0.2 * RNG.normal(size=(200, 16))).astype(np.float32)
TEXTS = [" ".join(f"{'abcd'[t]}{'klmno'[i]}word" for i in RNG.integers(5, size=8)) for t in THEMES]
FORK = multiprocessing.get_context("fork")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


class Encoder:
    """Slow enough to be killed between two shards."""

    def encode(self, texts):
        time.sleep(0.002)
        return np.asarray([np.bincount([ord(c) % 8 for c in t], minlength=8) for t in texts], "f4")


def kill_at(act, seconds):
    """Run `act` in a forked process and kill it; tell whether it was still alive."""
    child = FORK.Process(target=act)
    child.start()
    time.sleep(seconds)
    alive = child.is_alive()
    child.kill()
    child.join(120)
    return alive


def moments(longest):
    return np.random.default_rng(1).uniform(0, longest, size=KILLS)


def over_and_over(act):
    def run():
        while True:
            act()

    return run


@pytest.fixture(scope="module")
def models():
    sae = train_sae(EMBEDDINGS, n_atoms=24, k=2, n_steps=80)
    old = SAETopicModel(4, sae=sae).fit(TEXTS, embeddings=EMBEDDINGS)
    new = SAETopicModel(6, sae=sae).fit(TEXTS[:150], embeddings=EMBEDDINGS[:150])
    return old, new


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    settings = {"n_atoms": 64, "k": 3, "n_steps": 150}
    whole = train_sae(EMBEDDINGS, **settings)
    for number, seconds in enumerate(moments(0.6)):
        folder = tmp_path / str(number)

        def train(folder=folder):
            train_sae(EMBEDDINGS, **settings, checkpoint_dir=folder, checkpoint_every=10)

        kill_at(train, seconds)
        again = train_sae(EMBEDDINGS, **settings, checkpoint_dir=folder, checkpoint_every=10)
        np.testing.assert_array_equal(again.decoder_, whole.decoder_)
        np.testing.assert_array_equal(again.encoder_, whole.encoder_)


def test_a_killed_fit_over_shards_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "PART", 25)
    for number, rows in enumerate(np.split(np.arange(200), 4)):
        shard = tmp_path / "shards" / f"{number}.npy"
        shard.parent.mkdir(exist_ok=True)
        np.save(shard, EMBEDDINGS[rows])
        save_texts(shard, [TEXTS[row] for row in rows])
    sae = train_sae(EMBEDDINGS, n_atoms=24, k=2, n_steps=80)

    def fit(run_dir):
        SAETopicModel(4, sae=sae).fit_shards(tmp_path / "shards", run_dir=run_dir, n_workers=1)

    fit(tmp_path / "warm")
    start = time.perf_counter()
    fit(tmp_path / "whole")
    longest, alive = 1.5 * (time.perf_counter() - start), []
    for number, seconds in enumerate(moments(longest)):
        run_dir = tmp_path / str(number)
        alive.append(kill_at(lambda run_dir=run_dir: fit(run_dir), seconds))
        fit(run_dir)
        for file in (tmp_path / "whole").rglob("*"):
            if file.suffix in (".safetensors", ".parquet"):
                same = run_dir / file.relative_to(tmp_path / "whole")
                assert file.read_bytes() == same.read_bytes(), file
    assert any(alive)


def saved_kinds(models):
    """Return, of each kind: two models, how one is saved and loaded, and what tells them apart."""
    from saetm_plugins.bertopic import SAEBERTopic
    from saetm_plugins.gensim import SaeModel

    of_bertopic = [
        SAEBERTopic(n, sae=models[0].sae_, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)
        for n in (3, 4)
    ]
    return {
        "model": (models, lambda model, path: model.save(path, overwrite=True), SAETopicModel.load,
                  lambda model: model.transform(None, EMBEDDINGS)),
        "gensim": ([model.to_gensim() for model in models],
                   lambda model, path: model.save(str(path)), SaeModel.load,
                   lambda model: model.get_topics()),
        "bertopic": (of_bertopic, lambda model, path: model.save(path), SAEBERTopic.load,
                     lambda model: model.sae_model_.transform(None, EMBEDDINGS)),
    }  # fmt: skip


def test_a_killed_save_leaves_the_old_model_or_the_new(tmp_path, models):
    pytest.importorskip("bertopic")
    pytest.importorskip("gensim")
    for kind, (both, save, load, look) in saved_kinds(models).items():
        path = tmp_path / kind
        save(both[0], path)

        def save_both(both=both, save=save, path=path):
            for model in both:
                save(model, path)

        for seconds in moments(0.4):
            assert kill_at(over_and_over(save_both), seconds)
            found = look(load(path))
            assert any(np.array_equal(found, look(each)) for each in both), kind


def test_a_killed_cache_of_embeddings_is_whole_or_not_there(tmp_path):
    path = tmp_path / "cache"
    for seconds in moments(0.1):
        assert kill_at(over_and_over(lambda: write_cached(path, EMBEDDINGS)), seconds)
        found = read_cached(path, len(EMBEDDINGS))
        assert found is None or np.array_equal(found, EMBEDDINGS)


def test_a_killed_judge_keeps_whole_answers(tmp_path):
    path = tmp_path / "answers.sqlite"
    for seconds in moments(0.2):

        def ask():
            cache = AnswerCache(path)
            for number in range(10**6):
                cache.put(f"key{number}", f"answer{number}")

        assert kill_at(ask, seconds)
        cache = AnswerCache(path)
        found = cache.get([f"key{number}" for number in range(2000)])
        assert found == {key: key.replace("key", "answer") for key in found}
        cache.put("after", "x")
        assert cache.get(["after"]) == {"after": "x"}


def read_shards(folder):
    return np.concatenate([np.load(file) for file in sorted(folder.glob("*.npy"))])


@pytest.fixture
def lines(tmp_path):
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    return file


def embed(lines, out):
    options = {"shard_size": 20, "batch_size": 5, "verbose": False}
    return embed_file(lines, out, Encoder(), **options)


def test_a_killed_embedding_goes_on_with_the_next_shard(tmp_path, lines):
    whole = read_shards(embed(lines, tmp_path / "whole"))
    for number, seconds in enumerate(moments(0.15)):
        out = tmp_path / str(number)
        kill_at(lambda out=out: embed(lines, out), seconds)
        np.testing.assert_array_equal(read_shards(embed(lines, out)), whole)


def test_two_processes_may_embed_into_one_folder(tmp_path, lines):
    whole = read_shards(embed(lines, tmp_path / "whole"))
    out = tmp_path / "shared"
    children = [FORK.Process(target=embed, args=(lines, out)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    np.testing.assert_array_equal(read_shards(out), whole)
    assert not list(out.glob("*.partial"))


def save_again_and_again(out):
    for number in list(range(5)) * 40:
        save_shard(out / f"shard-{number:05d}.npy", [np.full((500, 64), number)], "float32")


def test_processes_may_write_the_same_shard_at_once(tmp_path):
    children = [FORK.Process(target=save_again_and_again, args=(tmp_path,)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"shard-{number:05d}.npy" for number in range(5)]
    assert all((np.load(file) == number).all() for number, file in enumerate(files))


@pytest.fixture
def full_disk(tmp_path):
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=False, timeout=60)


def fill(file):
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


def test_a_full_disk_is_an_error_and_leaves_the_old_file(full_disk, models):
    old, new = models
    old.save(full_disk / "model")
    fill(full_disk / "ballast")
    held = sorted(full_disk.iterdir())
    with pytest.raises(OSError, match="could not be written"):
        new.save(full_disk / "model", overwrite=True)
    assert sorted(full_disk.iterdir()) == held
    found = SAETopicModel.load(full_disk / "model").transform(None, EMBEDDINGS)
    np.testing.assert_array_equal(found, old.transform(None, EMBEDDINGS))
    settings = {"n_atoms": 24, "n_steps": 60, "checkpoint_every": 20}
    with pytest.raises(OSError, match=r"checkpoint|No space"):
        train_sae(EMBEDDINGS, **settings, checkpoint_dir=full_disk)
    with pytest.warns(UserWarning, match="not cached"):
        write_cached(full_disk / "cache", EMBEDDINGS)
    assert sorted(full_disk.iterdir()) == held
