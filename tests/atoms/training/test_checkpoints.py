import numpy as np
import pytest

from saetm_plugins.atoms import train_sae

OPTIONS = {"n_atoms": 24, "k": 3, "n_steps": 60, "batch_size": 100, "checkpoint_every": 10}


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


def test_a_half_written_checkpoint_gives_way_to_the_one_before(embeddings, tmp_path):
    whole = train_sae(embeddings, **OPTIONS, checkpoint_dir=tmp_path)
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:-50])
    with pytest.warns(UserWarning, match=newest.name):
        resumed = train_sae(embeddings, **OPTIONS, checkpoint_dir=tmp_path)
    assert np.array_equal(whole.decoder_, resumed.decoder_)


def test_other_settings_are_refused_by_name(embeddings, tmp_path):
    train_sae(embeddings, **OPTIONS, checkpoint_dir=tmp_path)
    for change, message in [
        ({"learning_rate": 0.01}, r"learning_rate was 0\.005, is 0\.01"),
        ({"random_state": 4}, "random_state was 0, is 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            train_sae(embeddings, **OPTIONS, **change, checkpoint_dir=tmp_path)
