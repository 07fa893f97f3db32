"""What people put on top of an LdaModel, unmodified, on SaeModel (real texts, see conftest.py)."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyLDAvis
import pyLDAvis.gensim_models
import pytest
import tmplot
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel, LdaModel
from gensim.parsing.preprocessing import STOPWORDS
from gensim.similarities import MatrixSimilarity, SparseMatrixSimilarity
from gensim.utils import simple_preprocess
from sklearn.preprocessing import normalize

from saetm_plugins.gensim import SaeModel


class Bags(NamedTuple):
    tokens: list[list[str]]
    dictionary: Dictionary
    corpus: list[list[tuple[int, int]]]


@pytest.fixture(scope="module")
def bags(news):
    tokens = [
        [word for word in simple_preprocess(text) if len(word) > 2 and word not in STOPWORDS]
        for text in news.documents
    ]
    dictionary = Dictionary(tokens)
    dictionary.filter_extremes(no_below=5, no_above=0.3, keep_n=5000)
    return Bags(tokens, dictionary, [dictionary.doc2bow(text) for text in tokens])


@pytest.fixture(scope="module")
def model(news, news_sae, bags):
    given = {"embeddings": news.embeddings, "sae": news_sae}
    return SaeModel(bags.corpus, news.n_topics, bags.dictionary, **given)


@pytest.fixture(scope="module")
def lda(news, bags):
    return LdaModel(bags.corpus, news.n_topics, bags.dictionary, random_state=0, eval_every=None)


@pytest.mark.parametrize("measure", ["u_mass", "c_v", "c_uci", "c_npmi"])
def test_coherence_model_takes_the_model(bags, model, measure):
    beside = {"corpus": bags.corpus} if measure == "u_mass" else {"texts": bags.tokens}
    scorer = CoherenceModel(model=model, topn=10, coherence=measure, processes=1, **beside)
    scores = scorer.get_coherence_per_topic()
    assert len(scores) == model.num_topics
    assert np.isfinite(scores).all()
    top = model.top_topics(coherence=measure, topn=10, processes=1, **beside)
    np.testing.assert_allclose([score for _, score in top], sorted(scores, reverse=True))
    assert [len(words) for words, _ in top] == [10] * model.num_topics


def test_coherence_model_compares_it_with_lda(bags, model, lda):
    scorer = CoherenceModel.for_models(
        [model, lda],
        bags.dictionary,
        topn=10,
        texts=bags.tokens,
        coherence="c_npmi",
        processes=1,
    )
    (ours, _), (theirs, _) = scorer.compare_models([model, lda])
    assert np.mean(ours) > np.mean(theirs)


def test_similarities_of_documents_by_their_topics(news, bags, model):
    index = MatrixSimilarity(model[bags.corpus], num_features=model.num_topics)
    sparse = SparseMatrixSimilarity(model[bags.corpus], num_features=model.num_topics)
    query = model[bags.corpus[7]]
    np.testing.assert_allclose(index[query], sparse[query], atol=1e-5)
    similarities = np.array([index[model[bag]] for bag in bags.corpus[:200]])
    np.fill_diagonal(similarities, -1)
    vectors = normalize(news.embeddings)
    nearest = vectors[similarities.argmax(axis=1)]
    alike = np.einsum("dw,dw->d", nearest, vectors[:200]).mean()
    assert alike > np.mean(vectors @ vectors[:200].T) + 0.1  # what chance would give


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def ldavis_page(bags, model, tmp_path_factory):
    """The page as pyLDAvis writes it; its scripts are the packaged ones, put beside it."""
    folder = tmp_path_factory.mktemp("ldavis")
    prepared = pyLDAvis.gensim_models.prepare(model, bags.corpus, bags.dictionary)
    scripts = Path(pyLDAvis.__file__).parent / "js"
    local = {
        "d3_url": "d3.v5.min.js",
        "ldavis_url": "ldavis.v3.0.0.js",
        "ldavis_css_url": "ldavis.v1.0.0.css",
    }
    for name in local.values():
        shutil.copy(scripts / name, folder)
    pyLDAvis.save_html(prepared, str(folder / "page.html"), **local)
    return folder / "page.html"


def test_pyldavis_page_holds_every_topic_and_words_of_the_model(ldavis_page, model):
    page = ldavis_page.read_text(encoding="utf-8")
    data = json.loads(re.search(r"var ldavis_el\w+_data = (\{.*?\});", page, re.DOTALL)[1])
    assert sorted(data["mdsDat"]["topics"]) == list(range(1, model.num_topics + 1))
    assert set(data["tinfo"]["Term"]) <= set(model.id2word.token2id)


@pytest.mark.skipif(BROWSER is None, reason="no browser; continuous integration installs one")
def test_pyldavis_page_renders_in_a_browser(ldavis_page, model):
    """Every topic has its circle, and the bars are words of the model."""
    dom = browse(ldavis_page, "--dump-dom")
    circles = re.findall(r'<circle class="dot"', dom)
    assert len(circles) == model.num_topics
    assert "Intertopic Distance Map" in dom
    words = set(re.findall(r'<text[^>]*class="terms"[^>]*>([^<]+)</text>', dom))
    assert len(words) == 30
    assert words <= set(model.id2word.token2id)


def browse(page, *options):
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--virtual-time-budget=10000", "--allow-file-access-from-files", *options]
    result = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return result.stdout


def test_tmplot_takes_it_for_an_ldamodel(news, bags, model, tmp_path):
    words = [bags.dictionary[i] for i in range(len(bags.dictionary))]
    some, texts = bags.corpus[:300], news.documents[:300]  # tmplot asks document by document
    phi = tmplot.get_phi(model, vocabulary=words)
    theta = tmplot.get_theta(model, corpus=some)
    assert phi.shape == (len(words), model.num_topics)
    assert theta.shape == (model.num_topics, len(some))
    coordinates = tmplot.prepare_coords(model, corpus=some)
    assert np.isfinite(coordinates[["x", "y"]].to_numpy()).all()
    assert len(coordinates) == model.num_topics
    scatter = tmplot.plot_scatter_topics(coordinates, size_col="size", label_col="label")
    scatter.save(str(tmp_path / "scatter.html"))
    assert (tmp_path / "scatter.html").stat().st_size > 1000
    relevant = tmplot.calc_terms_probs_ratio(phi, topic=0, terms_num=10)
    assert set(relevant["Terms"]) <= set(words)
    documents = tmplot.get_top_docs(texts, model, corpus=some, docs_num=3)
    assert documents.shape == (3, model.num_topics)
