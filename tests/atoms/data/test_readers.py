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


def test_files_and_memory_maps_train_the_same_model(shards, embeddings, tmp_path):
    np.save(tmp_path / "one.npy", embeddings)
    mapped = np.load(tmp_path / "one.npy", mmap_mode="r")
    options = {"n_atoms": 40, "k": 4, "n_steps": 100}
    first, second = (train_sae(each, **options) for each in (str(tmp_path / "one.npy"), mapped))
    np.testing.assert_array_equal(first.decoder_, second.decoder_)
    tensor = train_sae(torch.from_numpy(embeddings), **options)
    for sae in (first, tensor, train_sae(shards, **options)):
        assert sae.statistics_["fvu"] < 0.6


def damage(file, rows):
    rows[123, 4] = np.nan
    np.save(file, rows)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("wide.npy", lambda file: np.save(file, np.zeros((3, 7))), "wide.npy.* 7 dimensions.* 32"),
        (
            "shard-0.npy",
            lambda file: damage(file, np.ones((300, 32))),
            "shard-0.npy.*NaN.* row 123",
        ),
        *[
            (
                f"shard-{number}.{suffix}",
                lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
                f"shard-{number}.{suffix}.* truncated",
            )
            for number, suffix in enumerate(WRITERS)
        ],
    ],
)
def test_broken_shards_are_named(shards, name, change, message):
    change(shards / name)
    with pytest.raises(ValueError, match=message):
        train_sae(shards)


def test_vectors_of_several_lengths_are_refused(tmp_path):
    table = pa.table({"embedding": [[1.0, 2.0, 3.0], [1.0], [2.0, 3.0]]})  # two each on average
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="differ in length"):
        train_sae(tmp_path)


def test_a_folder_without_shards_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_reader(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no"):
        train_sae(tmp_path)


def test_an_error_in_the_reading_thread_reaches_the_caller():
    def broken():
        yield np.zeros(3)
        raise OSError("gone")

    batches = prefetch(broken())
    next(batches)
    with pytest.raises(OSError, match="gone"):
        next(batches)
