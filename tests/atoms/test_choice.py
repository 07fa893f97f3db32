"""Which atoms a fit uses: given ones, those that ship with the package, or ones of its own."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import normalized_mutual_info_score

from saetm_plugins import SAETopicModel, SparseAutoencoder
from saetm_plugins.atoms import choice
from saetm_plugins.atoms.foundation import load_foundation, unexplained

N_THEMES = 5


@pytest.fixture(scope="module")
def foundation():
    return load_foundation()


@pytest.fixture(scope="module")
def planted(foundation):
    """250 documents of five themes, each of words and eight atoms of the foundation of its own."""
    rng = np.random.default_rng(0)
    atoms = np.random.default_rng(7).choice(foundation.n_atoms, (N_THEMES, 8), replace=False)
    themes = rng.integers(N_THEMES, size=250)
    rows = []
    for theme in themes:
        chosen = rng.choice(atoms[theme], 4, replace=False)
        rows.append(rng.uniform(0.5, 1, 4) @ foundation.decoder_[chosen])
    directions = np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
    embeddings = (foundation.mean_ + directions).astype(np.float32)
    documents = [
        " ".join([f"theme{'abcde'[theme]}word{'abcdefgh'[i]}" for i in rng.integers(8, size=9)])
        for theme in themes
    ]
    return documents, embeddings, themes


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a fit trained atoms")

    monkeypatch.setattr(choice, "train_sae", refuse)


def make(sae="default", **options):
    return SAETopicModel(N_THEMES, sae=sae, word_vectors="corpus", **options)


@pytest.fixture(scope="module")
def fitted(planted):
    """A model over the default atoms, which is not changed."""
    return make().fit(planted[0], embeddings=planted[1])


@pytest.mark.parametrize("sae", ["default", "auto"])
def test_default_atoms_are_not_trained_and_find_the_themes(planted, foundation, no_training, sae):
    documents, embeddings, themes = planted
    model = make(sae).fit(documents, embeddings=embeddings)
    assert model.sae_ is foundation
    assert model.get_params()["sae"] == clone(model).get_params()["sae"] == sae
    assert normalized_mutual_info_score(themes, model.labels_) > 0.9
    for words in model.get_topics(5):
        assert len({word[:6] for word in words}) == 1


def test_seeds_change_the_merge_alone(planted, fitted):
    other = make(random_state=1).fit(planted[0], embeddings=planted[1])
    assert (fitted.doc_atoms_ != other.doc_atoms_).nnz == 0


def test_other_atoms_are_trained_where_they_are_asked_for(planted, monkeypatch):
    documents, embeddings, _ = planted
    trained = make("auto", n_atoms=40).fit(documents, embeddings=embeddings).sae_
    assert trained.n_atoms == 40
    calls = []
    monkeypatch.setattr(choice, "train_sae", lambda *_, **given: calls.append(given) or trained)
    assert make(trained).fit(documents, embeddings=embeddings).sae_ is trained
    assert not calls
    assert make(None).fit(documents, embeddings=embeddings).sae_ is trained
    monkeypatch.setattr(choice, "MOST_DOCUMENTS_TO_REUSE", 100)
    assert make("auto").fit(documents, embeddings=embeddings).sae_ is trained
    assert len(calls) == 2


def test_activations_are_sharpened_as_suits_the_atoms(planted, foundation, fitted):
    documents, embeddings, _ = planted
    assert fitted.atoms_.sharpening == 1.5
    for options, expected in [
        ({"sae": foundation}, 1.5),
        ({"sharpening": 3}, 3),
        ({"sae": foundation.prefix(512)}, 2),
    ]:
        model = make(**options).fit(documents, embeddings=embeddings)
        assert model.atoms_.sharpening == expected


def test_fewer_default_atoms_are_the_first_of_them(planted, foundation, no_training):
    documents, embeddings, _ = planted
    model = make(n_atoms=1024).fit(documents, embeddings=embeddings)
    np.testing.assert_array_equal(model.sae_.decoder_, foundation.decoder_[:1024])
    with pytest.raises(ValueError, match="n_atoms must be one of 1024, "):
        make(n_atoms=1000).fit(documents, embeddings=embeddings)


def test_embeddings_of_another_encoder_get_atoms_of_their_own_or_an_error(
    planted, foundation, monkeypatch
):
    documents, embeddings, _ = planted
    for changed in (embeddings.astype(np.float16).astype(np.float32), 20 * embeddings):
        assert unexplained(foundation, changed, foundation.mean_) < 0.6
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(384, 384)))[0]
    foreign = (embeddings @ turn).astype(np.float32)
    assert unexplained(foundation, foreign, foundation.mean_) > 0.85
    own = foundation.prefix(64)
    monkeypatch.setattr(choice, "train_sae", lambda *_, **__: own)
    assert make("auto").fit(documents, embeddings=foreign).sae_ is own
    model = make().fit(documents, embeddings=embeddings)
    before = model.topics_
    with pytest.raises(ValueError, match=r"all-MiniLM-L6-v2; found embeddings .* unexplained"):
        model.fit(documents, embeddings=foreign)
    assert model.topics_ is before
    with pytest.raises(ValueError, match="sae='default' is for"):
        make(encoder="intfloat/e5-small").fit(["a text", "another one"])


def test_a_saved_autoencoder_that_was_given_is_the_parameter_again(planted, tmp_path, foundation):
    documents, embeddings, _ = planted
    model = make(foundation.prefix(512)).fit(documents, embeddings=embeddings)
    model.save(tmp_path / "model")
    assert isinstance(SAETopicModel.load(tmp_path / "model").sae, SparseAutoencoder)
