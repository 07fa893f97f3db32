import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from saetm_plugins.atoms import train_sae
from saetm_plugins.atoms.data.batches import prefetch, shuffled_batches
from saetm_plugins.atoms.data.readers import ShardReader, open_reader


def _write_arrow(file, rows):
    table = pa.table({"id": range(len(rows)), "embedding": list(rows)})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _write_parquet(file, rows):
    table = pa.table({"id": range(len(rows)), "embedding": list(rows)})
    pq.write_table(table, file, row_group_size=70)


WRITERS = {
    "npy": lambda file, rows: np.save(file, rows.astype(np.float16)),
    "safetensors": lambda file, rows: save_file(
        {"embeddings": torch.tensor(rows).bfloat16()}, file
    ),
    "parquet": _write_parquet,
    "arrow": _write_arrow,
}


@pytest.fixture
def shards(tmp_path, embeddings):
    for number, (suffix, write) in enumerate(WRITERS.items()):
        write(tmp_path / f"shard-{number}.{suffix}", embeddings[number * 300 : number * 300 + 300])
    return tmp_path


def test_shards_of_all_formats_read_as_one_matrix(shards, embeddings):
    reader = ShardReader(shards)
    assert (reader.n_documents, reader.n_features) == (1200, 32)
    np.testing.assert_allclose(reader.read(0, 1200), embeddings[:1200], atol=0.01)
    np.testing.assert_allclose(reader.read(290, 310), embeddings[290:310], atol=0.01)
    np.testing.assert_allclose(reader.read(665, 745), embeddings[665:745], atol=0.01)


def test_an_epoch_shows_every_row_once_in_a_new_order(shards, monkeypatch):
    monkeypatch.setattr("saetm_plugins.atoms.data.batches.BUFFER_BYTES", 4 * 32 * 320)
    reader = ShardReader(shards)
    batches = shuffled_batches(reader, 100, seed=3)
    epochs = [np.concatenate([next(batches) for _ in range(12)]) for _ in range(2)]
    expected = np.sort(reader.read(0, 1200), axis=0)
    for epoch in epochs:
        assert np.array_equal(np.sort(epoch, axis=0), expected)
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0][:100], reader.read(0, 100))


def test_batches_can_start_anywhere(shards, monkeypatch):
    monkeypatch.setattr("saetm_plugins.atoms.data.batches.BUFFER_BYTES", 4 * 32 * 320)
    reader = ShardReader(shards)
    whole = shuffled_batches(reader, 90, seed=3)
    expected = [next(whole) for _ in range(40)]
    for first in (1, 13, 14, 39):
        assert np.array_equal(next(shuffled_batches(reader, 90, 3, first)), expected[first])


def test_every_kind_of_source_trains_a_model(shards, embeddings, tmp_path):
    np.save(tmp_path / "one.npy", embeddings)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(embeddings)), batch_size=64
    )
    sources = [
        shards,
        str(tmp_path / "one.npy"),
        np.load(tmp_path / "one.npy", mmap_mode="r"),
        torch.from_numpy(embeddings),
        loader,
        (embeddings[i : i + 50] for i in range(0, 1500, 50)),
    ]
    for source in sources:
        sae = train_sae(source, n_atoms=40, k=4, n_steps=200)
        assert sae.statistics_["fvu"] < 0.45, source


def test_broken_shards_are_named(shards, embeddings):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_reader(shards / "nowhere")
    wide = shards / "wide.npy"
    np.save(wide, np.zeros((3, 7), dtype=np.float32))
    with pytest.raises(ValueError, match=r"wide.npy.* 7 dimensions.* 32"):
        train_sae(shards)
    wide.unlink()
    cut = shards / "shard-0.npy"
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"shard-0.npy.* truncated"):
        train_sae(shards)
    broken = embeddings[:300].copy()
    broken[123, 4] = np.nan
    np.save(cut, broken)
    with pytest.raises(ValueError, match=r"shard-0.npy.*row 123.*NaN"):
        train_sae(shards)
    for file in shards.iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="holds no"):
        train_sae(shards)


@pytest.mark.parametrize("suffix", ["safetensors", "parquet", "arrow"])
def test_truncated_shards_of_every_format_are_named(shards, suffix):
    file = next(shards.glob(f"*.{suffix}"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"{file.name}.* truncated"):
        train_sae(shards)


def test_an_error_in_the_reading_thread_reaches_the_caller():
    def broken():
        yield np.zeros(3)
        raise OSError("gone")

    batches = prefetch(broken())
    next(batches)
    with pytest.raises(OSError, match="gone"):
        next(batches)
