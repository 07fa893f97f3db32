"""``saetm embed`` and ``train-sae``."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from saetm_plugins import SparseAutoencoder, train_sae

OPTIONS = ["--n-atoms", 12, "--k", 2, "--n-steps", 40, "--batch-size", 64]


@pytest.fixture
def shards(corpus, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for number, rows in enumerate(np.array_split(corpus.embeddings, 3)):
        np.save(folder / f"shard-{number}.npy", rows)
    return folder


def assert_same(folder, other):
    first, second = map(SparseAutoencoder.from_pretrained, (folder, other))
    for name in ("encoder_", "decoder_", "thresholds_"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_train_sae_takes_a_file_of_settings_and_flags_win(shards, run, tmp_path):
    config = {"n_atoms": 12, "k": 3, "n_steps": 500, "levels": [0.5, 1.0], "data_name": "planted"}
    (tmp_path / "run.json").write_text(json.dumps(config))
    arguments = ["train-sae", shards, "--config", tmp_path / "run.json", "--n-steps", 40]
    arguments += ["--batch-size", 64, "--encoder-name", "some/encoder", "--random-state", 3]
    result = run(*arguments, "--out", tmp_path / "sae")
    assert result.exit_code == 0, result.output
    sae = SparseAutoencoder.from_pretrained(tmp_path / "sae")
    assert sae.encoder_name == "some/encoder"
    assert sae.settings_["data_name"] == "planted"
    same = train_sae(shards, 12, k=3, n_steps=40, batch_size=64, levels=(0.5, 1.0), random_state=3)
    same.save_pretrained(tmp_path / "same")
    assert_same(tmp_path / "sae", tmp_path / "same")
    refused = run(*arguments, "--out", tmp_path / "sae")
    assert refused.exit_code == 2
    assert "exists" in refused.output


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"n_atom": 12, "optimiser": "sgd"}', "'n_atom', 'optimiser'.*train_sae takes activation"),
        ('{"learning_rate": "fast"}', "learning_rate.*must be a float.*fast"),
        ("[1, 2]", "run.json.*is not a JSON object"),
        ('{"n_atoms": 12', "run.json.*is not a JSON object"),
    ],
)
def test_train_sae_names_what_is_wrong_in_the_file(shards, run, tmp_path, config, message):
    (tmp_path / "run.json").write_text(config)
    result = run("train-sae", shards, "--config", tmp_path / "run.json", "--out", tmp_path / "sae")
    assert isinstance(result.exception, ValueError | TypeError)
    assert re.search(message, str(result.exception), flags=re.DOTALL)
    assert not (tmp_path / "sae").exists()


def test_train_sae_goes_on_from_a_checkpoint_of_the_same_settings(shards, run, tmp_path):
    resumable = [*OPTIONS, "--checkpoint-dir", tmp_path / "run", "--checkpoint-every", 15]
    assert run("train-sae", shards, *resumable, "--out", tmp_path / "first").exit_code == 0
    steps = sorted((tmp_path / "run").glob("step-*.safetensors"))
    assert steps
    resumed = run("train-sae", shards, *resumable, "--out", tmp_path / "resumed")
    assert resumed.exit_code == 0, resumed.output
    assert run("train-sae", shards, *OPTIONS, "--out", tmp_path / "plain").exit_code == 0
    assert_same(tmp_path / "plain", tmp_path / "resumed")
    other = run("train-sae", shards, *resumable, "--k", 3, "--out", tmp_path / "other")
    assert "k was 2, is 3" in str(other.exception)


def test_torchrun_trains_on_two_processes(shards, run, tmp_path):
    options = [*OPTIONS, "--device", "cpu", "--out"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", "-m", "saetm_plugins", "train-sae", shards, *options]
    subprocess.run(
        [*map(str, torchrun), str(tmp_path / "together")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        check=True,
        timeout=300,
        capture_output=True,
    )
    run("train-sae", shards, *options, tmp_path / "alone")
    names = ("together", "alone")
    together, alone = (SparseAutoencoder.from_pretrained(tmp_path / name) for name in names)
    np.testing.assert_allclose(together.decoder_, alone.decoder_, atol=5e-3)


def test_embed_writes_shards_that_train_sae_reads(run, tmp_path):
    texts = tmp_path / "few.csv"
    pd.DataFrame({"body": [f"A text about theme {n}." for n in range(20)]}).to_csv(texts)
    arguments = ["embed", texts, "--text-column", "body", "--shard-size", 8]
    result = run(*arguments, "--out", tmp_path / "shards")
    assert result.exit_code == 0, result.output
    *_, newest = shards = sorted((tmp_path / "shards").glob("*.npy"))
    assert len(shards) == 3
    before = np.load(newest)
    newest.unlink()
    assert run(*arguments, "--out", tmp_path / "shards").exit_code == 0  # the last shard alone
    np.testing.assert_allclose(np.load(newest), before, atol=1e-5)
    trained = run("train-sae", tmp_path / "shards", "--n-steps", 5, "--out", tmp_path / "sae")
    assert trained.exit_code == 0, trained.output
    assert SparseAutoencoder.from_pretrained(tmp_path / "sae").n_features == before.shape[1]


def test_fit_takes_the_folder_that_embed_wrote(run, tmp_path):
    texts, shards, model = tmp_path / "texts.csv", tmp_path / "shards", tmp_path / "run"
    words = ["cat dog horse", "piano violin flute", "planet star moon"]
    lines = [f"The {words[n % 3]} {words[n % 3].split()[n % 2]} of day {n}" for n in range(60)]
    pd.DataFrame({"text": lines}).to_csv(texts, index=False)
    embed = ["embed", texts, "--shard-size", 25, "--out", shards]
    assert run(*embed).exit_code == 0
    (shards / "shard-00001.texts.json").unlink()  # of an earlier version
    assert run(*embed).exit_code == 0
    arguments = ["fit", shards, "--out", model, "--n-topics", 3, "--sae", "default"]
    for _ in range(2):  # the second time all is there
        result = run(*arguments)
        assert result.exit_code == 0, result.output
    assert "3 topics of 60 documents" in run("topics", model / "model").output
