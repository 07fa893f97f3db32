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


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_dtypes_give_the_same(sae, embeddings, dtype):
    rows = embeddings[:50].astype(np.float16)
    assert np.array_equal(
        sae.transform(rows.astype(dtype)).toarray(),
        sae.transform(rows.astype(np.float32)).toarray(),
    )


def test_tensors_and_memory_maps_give_the_same(sae, embeddings, tmp_path):
    np.save(tmp_path / "rows.npy", embeddings)
    expected = sae.transform(embeddings).toarray()
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert np.array_equal(sae.transform(mapped, block_size=100).toarray(), expected)
    assert np.array_equal(sae.transform(torch.from_numpy(embeddings)).toarray(), expected)


def test_bad_embeddings_are_named(sae, embeddings):
    with pytest.raises(ValueError, match=r"7 dimensions.*trained on 32"):
        sae.transform(np.zeros((2, 7)))
    broken = embeddings.copy()
    broken[5] = np.inf
    with pytest.raises(ValueError, match="row 5"):
        sae.transform(broken)
    broken[5] = 1e30
    for encode in (sae.transform, sae.reconstruct):
        with pytest.raises(ValueError, match=r"embeddings is too large .*\(row 5"):
            encode(broken)


def test_a_memory_map_is_checked_as_it_is_read(sae, embeddings, tmp_path):
    broken = embeddings.copy()
    broken[150, 3] = np.nan
    np.save(tmp_path / "rows.npy", broken)
    with pytest.raises(ValueError, match="row 150, NaN"):
        sae.transform(np.load(tmp_path / "rows.npy", mmap_mode="r"), block_size=100)
    np.save(tmp_path / "complex.npy", embeddings + 1j)
    with pytest.raises(ValueError, match="complex64"):
        sae.transform(np.load(tmp_path / "complex.npy", mmap_mode="r"))
    np.save(tmp_path / "narrow.npy", embeddings[:, :7])
    with pytest.raises(ValueError, match=r"7 dimensions.*trained on 32"):
        sae.transform(np.load(tmp_path / "narrow.npy", mmap_mode="r"))


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
        ("thresholds", lambda array: array - np.inf, r"weights\['thresholds'\] holds NaN"),
        ("thresholds", lambda array: array - 1e3, r"weights\['thresholds'\] must not be negative"),
        ("mean", lambda array: array[:5], r"weights\['mean'\] must have shape \(32,\)"),
        ("decoder", lambda array: array[0], r"weights\['decoder'\] must be 2-D"),
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
