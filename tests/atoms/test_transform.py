import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from saetm_plugins.atoms import SparseAutoencoder, train_sae
from saetm_plugins.atoms.encoding import _encode_on_device


@pytest.fixture(scope="module", params=["topk", "batch_topk", "l1", "jumprelu"])
def sae(request, embeddings):
    return train_sae(embeddings, n_atoms=40, k=4, activation=request.param, n_steps=60)


def test_a_row_does_not_depend_on_its_neighbours(sae, embeddings):
    whole = sae.transform(embeddings).toarray()
    alone = np.vstack([sae.transform(embeddings[i : i + 1]).toarray() for i in range(25)])
    assert np.array_equal(whole[:25], alone)
    assert np.array_equal(whole, sae.transform(embeddings, block_size=7).toarray())


def test_activations_are_those_of_the_dense_formula(sae, embeddings):
    rows = sae.normalizer_.apply(embeddings)
    scores = rows @ sae.encoder_.T + sae.encoder_bias_
    expected = np.where(scores > sae.thresholds_, scores, 0)
    if sae.activation == "topk":
        expected[scores < np.sort(scores, axis=1)[:, [-4]]] = 0
    full = expected.any(axis=1)
    assert full.mean() > 0.9
    codes = sae.transform(embeddings).toarray()
    np.testing.assert_allclose(codes[full], expected[full], atol=1e-5)


def test_cosines_are_those_of_active_atoms_alone(sae, embeddings, monkeypatch):
    rows, codes = sae.normalizer_.apply(embeddings), sae.transform(embeddings)
    found = sae.cosines(embeddings, codes)
    assert np.array_equal(found.indptr, codes.indptr)
    assert np.array_equal(found.indices, codes.indices)
    rows -= sae.decoder_bias_
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = np.maximum(rows @ sae.decoder_.T, 1e-3)[codes.nonzero()]
    np.testing.assert_allclose(found.data, expected, atol=1e-5)
    alone = np.concatenate([sae.cosines(embeddings[[i]], codes[i]).data for i in range(25)])
    assert np.array_equal(found[:25].data, alone)
    monkeypatch.setattr("saetm_plugins.atoms.autoencoder._ROWS", 7)
    assert np.array_equal(found.data, sae.cosines(embeddings, codes).data)


def test_gpu_path_run_on_the_cpu_agrees(sae, embeddings):
    rows = sae.normalizer_.apply(embeddings)
    indptr, indices, values = _encode_on_device(sae, rows, "cpu")
    codes = sae.transform(embeddings)
    assert np.array_equal(codes.indptr, indptr)
    assert np.array_equal(codes.indices, indices)
    np.testing.assert_allclose(codes.data, values, atol=1e-5)


def test_strange_documents_keep_their_strongest_atom(sae):
    rows = 100 * np.random.default_rng(0).normal(size=(50, 32)) - 40
    assert np.diff(sae.transform(rows).indptr).min() >= 1


def test_the_same_rows_in_other_containers_give_the_same(sae, embeddings, tmp_path):
    rows = embeddings[:300].astype(np.float16)
    expected = sae.transform(rows.astype(np.float32)).toarray()
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for given in (rows, rows.astype(np.float64), torch.from_numpy(rows), mapped):
        assert np.array_equal(sae.transform(given, block_size=100).toarray(), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:, :7], r"7 dimensions.*trained on 32"),
        (lambda rows: np.where(np.arange(1500)[:, None] == 150, np.nan, rows), "NaN .* row 150"),
        (lambda rows: np.where(np.arange(1500)[:, None] == 5, 1e30, rows), r"large .*\(row 5"),
        (lambda rows: rows + 1j, "[Cc]omplex"),
    ],
)
def test_bad_rows_of_a_memory_map_are_named(sae, embeddings, tmp_path, change, message):
    np.save(tmp_path / "rows.npy", change(embeddings))
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for encode in (sae.transform, sae.reconstruct):
        with pytest.raises(ValueError, match=message):
            encode(rows, block_size=100)


def test_save_then_load_gives_equal_transform(sae, embeddings, tmp_path):
    sae.encoder_name = "some/encoder"
    sae.save_pretrained(tmp_path / "sae")
    loaded = SparseAutoencoder.from_pretrained(tmp_path / "sae")
    assert (loaded.transform(embeddings) != sae.transform(embeddings)).nnz == 0
    assert np.array_equal(loaded.reconstruct(embeddings), sae.reconstruct(embeddings))
    assert loaded.encoder_name == "some/encoder"
    assert loaded.statistics_ == sae.statistics_
    with pytest.raises(FileExistsError, match="overwrite"):
        sae.save_pretrained(tmp_path / "sae")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("encoder", lambda array: array * 1e30, r"weights\['encoder'\] is too large"),
        ("encoder", lambda array: array * np.nan, r"weights\['encoder'\] holds NaN or infinity"),
        ("thresholds", lambda array: array - 1e3, r"weights\['thresholds'\] must not be negative"),
        ("mean", lambda array: array[:5], r"weights\['mean'\] must have shape \(32,\)"),
        ("decoder", lambda array: array[0], r"weights\['decoder'\] .*2-?D"),
    ],
)
def test_a_saved_model_with_impossible_weights_is_refused(sae, tmp_path, name, change, message):
    sae.save_pretrained(tmp_path / "sae")
    tensors = load_file(tmp_path / "sae" / "model.safetensors")
    tensors[name] = np.ascontiguousarray(change(tensors[name]))
    save_file(tensors, tmp_path / "sae" / "model.safetensors")
    (tmp_path / "sae" / "checksums.json").unlink()
    with pytest.raises(ValueError, match=f"'{tmp_path / 'sae'}' .*{message}"):
        SparseAutoencoder.from_pretrained(tmp_path / "sae")
