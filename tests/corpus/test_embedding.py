import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saetm_plugins.atoms import train_sae
from saetm_plugins.corpus.embed import embed_file

TEXTS = [f"text number {i}, with a comma" for i in range(25)]


class LengthEncoder:
    """Embeds a text by its letters; counts how many it was given."""

    n_texts = 0

    def encode(self, texts):
        self.n_texts += len(texts)
        return np.array([[text.count(c) for c in "number 0123456789"] for text in texts], float)


def _write(path, kind):
    file = path / f"texts.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"body": TEXTS}), file)
    elif kind == "csv":
        file.write_text("id,body\n" + "\n".join(f'{i},"{t}"' for i, t in enumerate(TEXTS)))
    else:
        file.write_text("\n".join(json.dumps({"body": text}) for text in TEXTS))
    return file


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_texts_become_shards_that_train(tmp_path, kind):
    options = {"text_column": "body", "shard_size": 10, "batch_size": 4, "verbose": False}
    out = embed_file(_write(tmp_path, kind), tmp_path / "out", LengthEncoder(), **options)
    shards = [np.load(file) for file in sorted(out.glob("*.npy"))]
    assert [shard.shape for shard in shards] == [(10, 17), (10, 17), (5, 17)]
    assert np.array_equal(np.concatenate(shards), LengthEncoder().encode(TEXTS))
    assert train_sae(out, n_steps=5).n_features == 17


def test_an_interrupted_call_goes_on_where_it_stopped(tmp_path):
    file = _write(tmp_path, "csv")
    options = {"text_column": "body", "shard_size": 10, "verbose": False}
    embed_file(file, tmp_path / "out", LengthEncoder(), **options)
    (tmp_path / "out" / "shard-00001.npy").unlink()
    encoder = LengthEncoder()
    embed_file(file, tmp_path / "out", encoder, **options)
    assert encoder.n_texts == 10
    with pytest.raises(ValueError, match="shard_size was 10"):
        embed_file(file, tmp_path / "out", encoder, **{**options, "shard_size": 5})


def test_bad_files_are_named(tmp_path):
    file = _write(tmp_path, "csv")
    with pytest.raises(ValueError, match=r"'text' is not in .*texts.csv.*; it has id, body"):
        embed_file(file, tmp_path / "out", LengthEncoder())
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        embed_file(tmp_path / "none.csv", tmp_path / "out", LengthEncoder())
    with pytest.raises(TypeError, match="encode"):
        embed_file(file, tmp_path / "out", object(), text_column="body", verbose=False)
