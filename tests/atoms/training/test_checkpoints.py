import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from saetm_plugins.atoms import train_sae

OPTIONS = {"n_atoms": 24, "k": 3, "n_steps": 60, "batch_size": 100, "checkpoint_every": 10}

KILLED = """
import sys, numpy as np
from saetm_plugins.atoms import train_sae
train_sae(np.load(sys.argv[1]), n_atoms=24, k=3, n_steps=100_000, batch_size=100,
          checkpoint_every=10, checkpoint_dir=sys.argv[2])
"""


@pytest.mark.parametrize("activation", ["batch_topk", "l1", "jumprelu"])
def test_a_stopped_run_ends_like_one_that_was_not(embeddings, tmp_path, activation, monkeypatch):
    whole = train_sae(embeddings, activation=activation, **OPTIONS)
    from saetm_plugins.atoms.training import train

    real = train.revive_dead

    def stop(learner, batch, report, config, step, rng):
        if step == 37:
            raise KeyboardInterrupt
        real(learner, batch, report, config, step, rng)

    monkeypatch.setattr(train, "revive_dead", stop)
    with pytest.raises(KeyboardInterrupt):
        train_sae(embeddings, activation=activation, **OPTIONS, checkpoint_dir=tmp_path)
    monkeypatch.undo()
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["step-000000020.safetensors", "step-000000030.safetensors"]
    resumed = train_sae(embeddings, activation=activation, **OPTIONS, checkpoint_dir=tmp_path)
    for name in ("encoder_", "decoder_", "thresholds_"):
        assert np.array_equal(getattr(whole, name), getattr(resumed, name)), name


def test_a_killed_process_leaves_a_checkpoint_to_go_on_from(embeddings, tmp_path):
    np.save(tmp_path / "rows.npy", embeddings)
    folder = tmp_path / "run"
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "rows.npy"), str(folder)]
    process = subprocess.Popen(arguments)
    deadline = time.monotonic() + 60
    while not list(folder.glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert list(folder.glob("step-*.safetensors"))
    with pytest.raises(ValueError, match=r"n_steps was 100000, is 60"):
        train_sae(embeddings, **OPTIONS, checkpoint_dir=folder)


def test_a_half_written_checkpoint_gives_way_to_the_one_before(embeddings, tmp_path):
    whole = train_sae(embeddings, **OPTIONS, checkpoint_dir=tmp_path)
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:-50])
    with pytest.warns(UserWarning, match=newest.name):
        resumed = train_sae(embeddings, **OPTIONS, checkpoint_dir=tmp_path)
    assert np.array_equal(whole.decoder_, resumed.decoder_)


def test_other_settings_are_refused_by_name(embeddings, tmp_path):
    train_sae(embeddings, **OPTIONS, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match=r"learning_rate was 0\.005, is 0\.01"):
        train_sae(embeddings, **OPTIONS, learning_rate=0.01, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="random_state was 0, is 4"):
        train_sae(embeddings, **OPTIONS, random_state=4, checkpoint_dir=tmp_path)
