"""Training curves, read back with the libraries that wrote them."""

import struct
import subprocess
import sys

import numpy as np
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


WANDB = """
import sys, numpy as np
from saetm_plugins.atoms import train_sae
train_sae(np.load(sys.argv[1]), n_atoms=16, k=2, n_steps=45, batch_size=64, logger="wandb",
          log_dir=sys.argv[2])
"""


def _records(log):
    """Take W&B's file apart: LevelDB's log format, of which a short run fills one block."""
    assert len(log) < 2**15
    position = 7
    while position < len(log):
        length, kind = struct.unpack_from("<HB", log, position + 4)
        assert kind == 1  # a whole record
        yield log[position + 7 : position + 7 + length]
        position += 7 + length


def test_wandb_reads_the_curves(embeddings, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    np.save(tmp_path / "rows.npy", embeddings)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    arguments = [sys.executable, "-c", WANDB, str(tmp_path / "rows.npy"), str(tmp_path)]
    subprocess.run(arguments, check=True, timeout=300)
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    settings, points = {}, []
    for record in map(Record.FromString, _records(file.read_bytes())):
        for item in record.run.config.update:
            settings[item.key] = item.value_json
        if record.HasField("history"):
            points.append(
                {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
            )
    assert settings["n_atoms"] == "16"
    assert [int(point["_step"]) for point in points] == STEPS
    assert float(points[-1]["error"]) < float(points[0]["error"])


def test_a_logger_that_is_not_installed_says_how_to_get_it(embeddings, monkeypatch):
    for module in ("tensorboard", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        train_sae(embeddings, **OPTIONS, logger="tensorboard")
    with pytest.raises(ValueError, match="logger must be one of"):
        train_sae(embeddings, **OPTIONS, logger="mlflow")
