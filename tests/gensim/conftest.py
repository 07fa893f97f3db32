"""One model fitted to the planted corpus, shared by all tests of the adapter."""

import copy
import functools

import pytest
from gensim.corpora import Dictionary

from saetm_plugins.atoms import choice
from saetm_plugins.gensim import SaeModel


@pytest.fixture(scope="session")
def dictionary(corpus):
    return Dictionary(text.split() for text in corpus.documents)


@pytest.fixture(scope="session")
def bags(corpus, dictionary):
    return [dictionary.doc2bow(text.split()) for text in corpus.documents]


@pytest.fixture(scope="session")
def fitted(corpus, bags, dictionary):
    return SaeModel(bags, 5, dictionary, embeddings=corpus.embeddings)


@pytest.fixture
def model(fitted):
    """A model of the test's own: no array of a fitted model is ever changed in place."""
    mine = copy.copy(fitted)
    mine.estimator = copy.copy(fitted.estimator)
    return mine


@pytest.fixture
def given(corpus, fitted):
    """Embeddings and atoms: a model that gets them learns words alone, which is quick."""
    return {"embeddings": corpus.embeddings, "sae": fitted.estimator.sae_}


@pytest.fixture
def quick_atoms(monkeypatch):
    """Atoms are trained for few steps."""
    monkeypatch.setattr(choice, "train_sae", functools.partial(choice.train_sae, n_steps=300))
