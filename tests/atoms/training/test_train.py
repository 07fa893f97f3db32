import numpy as np
import pytest
import torch

from saetm_plugins.atoms import TrainingConfig, train_sae
from saetm_plugins.atoms.normalization import fit_normalizer
from saetm_plugins.atoms.training.initialization import initial_weights
from saetm_plugins.atoms.training.revival import revive_dead
from saetm_plugins.atoms.training.train import make_learner

ACTIVATIONS = ["topk", "batch_topk", "l1", "jumprelu"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_explains_most_with_about_k_atoms(embeddings, activation):
    sae = train_sae(embeddings, n_atoms=40, k=4, activation=activation, n_steps=300)
    codes = sae.transform(embeddings)
    assert codes.shape == (1500, 40)
    assert codes.dtype == np.float32
    assert codes.has_sorted_indices
    assert codes.data.min() > 0
    assert np.diff(codes.indptr).min() >= 1
    assert codes.nnz / 1500 == pytest.approx(4, rel=0.25)
    assert sae.statistics_["l0"] == pytest.approx(codes.nnz / 1500)
    assert sae.statistics_["fvu"] < 0.35
    np.testing.assert_allclose(np.linalg.norm(sae.decoder_, axis=1), 1, atol=1e-5)
    error = ((sae.reconstruct(embeddings) - embeddings) ** 2).sum()
    assert error < 0.4 * ((embeddings - embeddings.mean(axis=0)) ** 2).sum()


@pytest.mark.parametrize("activation", ["batch_topk", "l1"])
def test_same_seed_same_bits_other_seed_other_model(embeddings, activation):
    def train(k, seed):
        return train_sae(embeddings, 24, activation, k=k, n_steps=20, random_state=seed)

    first, other = train(3, 1), train(3, 2)
    second = train(np.uint8(3), 1)  # small integers of NumPy do not overflow
    assert np.array_equal(first.decoder_, second.decoder_)
    assert np.array_equal(first.thresholds_, second.thresholds_)
    assert not np.array_equal(first.decoder_, other.decoder_)


def test_global_random_state_is_left_alone(embeddings):
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    train_sae(embeddings, n_atoms=16, n_steps=5)
    assert np.array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(before[1], torch.get_rng_state())


@pytest.mark.parametrize("n_documents", [1, 2, 7, 300])
def test_small_corpora_need_no_settings(embeddings, n_documents):
    sae = train_sae(embeddings[:n_documents], n_steps=40)
    assert sae.n_atoms <= n_documents
    assert np.isfinite(sae.decoder_).all()
    assert np.diff(sae.transform(embeddings[:n_documents]).indptr).min() >= 1


def test_identical_documents_share_their_atoms():
    embeddings = np.tile(np.linspace(1, 2, 16, dtype=np.float32), (40, 1))
    codes = train_sae(embeddings, n_steps=40).transform(embeddings).toarray()
    assert codes.sum() > 0
    assert (codes == codes[0]).all()


def test_zero_embeddings_activate_nothing_and_stay_finite():
    sae = train_sae(np.zeros((10, 4), dtype=np.float32), n_steps=40)
    assert np.isfinite(sae.decoder_).all()
    assert sae.transform(np.zeros((3, 4))).nnz == 0


@pytest.mark.parametrize("activation", ["batch_topk", "jumprelu"])
def test_dead_atoms_are_revived(embeddings, activation):
    config = TrainingConfig(
        n_atoms=40, k=4, activation=activation, n_steps=200, batch_size=100
    ).resolve(1500, 32)
    documents = fit_normalizer(embeddings, "unit").apply(embeddings)
    weights = initial_weights(documents, config, np.random.default_rng(0))
    weights["encoder_bias"][:10] = -100  # nothing will ever activate these
    learner = make_learner(weights, config, "cpu")
    for step in range(100):
        batch = torch.from_numpy(documents[100 * (step % 15) : 100 * (step % 15) + 100])
        report = learner.step(batch, 5e-3, step)
        if step == 50:
            assert (learner.silence()[:10] > 5000).all()
        if step >= 50:
            revive_dead(learner, batch, report, config, step, 0)
    assert (learner.silence()[:10] < 3000).all()
    np.testing.assert_allclose(np.linalg.norm(learner.weights["decoder"], axis=1), 1, atol=1e-5)


def test_size_follows_the_corpus():
    small, large = (TrainingConfig().resolve(n, 384) for n in (300, 2_000_000))
    assert small.n_atoms <= 150
    assert small.n_atoms < large.n_atoms
    assert large.n_steps * large.batch_size >= 0.99 * 2_000_000
    assert TrainingConfig(expansion=4).resolve(20_000, 384).n_atoms == 1536


def test_paper_preset_is_the_papers_recipe_and_can_be_shortened(embeddings):
    sae = train_sae(embeddings, preset="saetm-paper", n_steps=60)
    assert sae.activation == "l1"
    assert sae.n_atoms == 4 * 32
    assert sae.settings_["sparsity"] == 2
    assert sae.settings_["learning_rate"] == 1e-3
    assert sae.settings_["batch_size"] == 1000
    assert sae.normalizer_.mode == "scale"


def test_every_prefix_of_a_matryoshka_model_reconstructs(embeddings):
    options = {"n_atoms": 40, "k": 4, "n_steps": 400, "activation": "batch_topk"}
    nested = train_sae(embeddings, levels=(0.25, 1.0), **options).prefix(10)
    plain = train_sae(embeddings, **options).prefix(10)
    assert nested.n_atoms == 10

    def error(sae):
        return ((sae.reconstruct(embeddings) - embeddings) ** 2).sum()

    assert error(nested) < 0.8 * error(plain)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "softmax"}, "'activation' parameter .*'softmax'"),
        ({"n_atoms": 0}, "'n_atoms' parameter .* Got 0"),
        ({"n_atoms": 4, "k": 5}, "k must be at most n_atoms"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"learning_rate": 1e30}, "learning_rate"),
        ({"device": "meta"}, "device 'meta' is not available"),
        ({"levels": (0.5, 0.2, 1.0)}, "levels"),
        ({"preset": "gpt"}, "preset must be one of"),
        ({"random_state": "x"}, "seed"),
        ({"device": "abacus"}, "device 'abacus'"),
        ({"normalization": "batch"}, "'normalization' parameter"),
    ],
)
def test_bad_settings_are_named(embeddings, arguments, message):
    with pytest.raises(ValueError, match=message):
        train_sae(embeddings, **arguments)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "row 17"), (1e30, r"large .*\(row 17")])
def test_embeddings_that_would_spoil_the_weights_are_refused(embeddings, value, message):
    with pytest.raises(ValueError, match=message):
        train_sae(np.where(np.arange(1500)[:, None] == 17, np.float32(value), embeddings))


@pytest.mark.parametrize(
    ("factor", "settings"),
    [
        (1e15, {"activation": "batch_topk", "learning_rate": 1.0, "normalization": "none"}),
        (1, {"activation": "l1", "sparsity": 1e300}),
        (1, {"activation": "jumprelu", "sparsity": 1e300}),
    ],
)
def test_training_that_diverges_is_an_error(embeddings, factor, settings):
    with pytest.raises(ValueError, match=r"diverged with .*'learning_rate': .*'sparsity'"):
        train_sae(embeddings * np.float32(factor), 24, k=3, n_steps=30, **settings)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_and_cpu_learn_equally_well(embeddings):
    errors = [
        train_sae(embeddings, 40, k=4, n_steps=300, device=device).statistics_["fvu"]
        for device in ("cpu", "cuda")
    ]
    assert errors[0] == pytest.approx(errors[1], abs=0.05)


def test_where_nothing_compiles_training_goes_on_without(embeddings, monkeypatch):
    def fail(*_):
        raise RuntimeError("no compiler")

    options = {"n_atoms": 16, "activation": "l1", "k": 3, "n_steps": 8, "device": "cpu"}
    plain = train_sae(embeddings, **options)
    monkeypatch.setattr(torch, "compile", lambda function: fail)
    with pytest.warns(UserWarning, match="torch.compile failed, going on without") as warned:
        sae = train_sae(embeddings, **options, compile=True)
    assert len(warned) == 1
    np.testing.assert_array_equal(sae.decoder_, plain.decoder_)
    assert "n_atoms=16" in repr(sae)
