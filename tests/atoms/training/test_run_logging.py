"""Training curves go to TensorBoard or to Weights & Biases."""

import sys
from types import SimpleNamespace

import pytest

from saetm_plugins.atoms import train_sae

OPTIONS = {"n_atoms": 16, "k": 2, "n_steps": 45, "batch_size": 64}
STEPS = [0, 20, 40]


def test_tensorboard_reads_the_curves(embeddings, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_sae(embeddings, **OPTIONS, logger="tensorboard", log_dir=str(tmp_path))
    events = EventAccumulator(str(tmp_path)).Reload()
    assert sorted(events.Tags()["scalars"]) == ["error", "l0", "rate"]
    errors = events.Scalars("error")
    assert [point.step for point in errors] == STEPS
    assert errors[-1].value < errors[0].value
    assert 1 <= events.Scalars("l0")[-1].value <= 2.5


def test_wandb_gets_the_settings_and_the_curves(embeddings, monkeypatch):
    calls, points = [], {}
    run = SimpleNamespace(
        log=lambda scalars, step: points.update({step: scalars}), finish=lambda: calls.append("end")
    )
    monkeypatch.setitem(
        sys.modules, "wandb", SimpleNamespace(init=lambda **given: calls.append(given) or run)
    )
    train_sae(embeddings, **OPTIONS, logger="wandb", log_dir="somewhere")
    assert calls[0]["dir"] == "somewhere"
    assert calls[0]["config"]["n_atoms"] == 16
    assert calls[1:] == ["end"]
    assert list(points) == STEPS
    assert points[40]["error"] < points[0]["error"]


def test_a_logger_that_is_not_installed_says_how_to_get_it(embeddings, monkeypatch):
    for module in ("tensorboard", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        train_sae(embeddings, **OPTIONS, logger="tensorboard")
    with pytest.raises(ValueError, match="logger must be one of"):
        train_sae(embeddings, **OPTIONS, logger="mlflow")
