"""Unmodified OCTIS 1.14.0 on today's stack: its models, every metric, optimizer and experiments.

Runs on gensim's Lee corpus, written in OCTIS' own folder format.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import octis.evaluation_metrics
import pytest
from gensim.models import Word2Vec
from gensim.test.utils import datapath
from octis.dataset.dataset import Dataset
from octis.evaluation_metrics.coherence_metrics import Coherence
from octis.evaluation_metrics.diversity_metrics import TopicDiversity
from octis.evaluation_metrics.metrics import AbstractMetric
from octis.optimization.optimizer import Optimizer
from skopt.space.space import Categorical, Integer, Real

from saetm_plugins.corpus import default_vectorizer, encode_texts, load_encoder
from saetm_plugins.octis import SAETM, EmbeddingIntruder, enable_dashboard

pytestmark = pytest.mark.usefixtures("quick_atoms")


class Case(NamedTuple):
    dataset: Dataset
    folder: str
    embeddings_path: str
    word2vec_path: str

    def model(self, **hyperparameters):
        settings = {"num_topics": 8, "embeddings_path": self.embeddings_path}
        return SAETM(**settings | {"word_vectors": "corpus"} | hyperparameters)


def write_lee(folder: Path) -> None:
    """Write the Lee corpus as an OCTIS folder; a text's label: does it speak of Australia."""
    with open(datapath("lee_background.cor"), encoding="utf-8") as lines:
        texts = [line.strip() for line in lines]
    vectorizer = default_vectorizer(len(texts)).set_params(min_df=3).fit(texts)
    analyze, words = vectorizer.build_analyzer(), set(vectorizer.get_feature_names_out())
    rows = [
        (
            " ".join(word for word in analyze(text) if word in words),
            "train" if row < 200 else "val" if row < 240 else "test",
            "home" if "Australia" in text else "abroad",
        )
        for row, text in enumerate(texts)
    ]
    folder.mkdir()
    (folder / "corpus.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n")
    (folder / "vocabulary.txt").write_text("\n".join(sorted(words)) + "\n")


@pytest.fixture(scope="module")
def lee(tmp_path_factory):
    root = tmp_path_factory.mktemp("octis")
    write_lee(root / "Lee")
    dataset = Dataset()
    dataset.load_custom_dataset_from_folder(str(root / "Lee"))
    tokens = dataset.get_corpus()
    beginnings = [" ".join(words[:50]) for words in tokens]
    np.save(root / "Lee.npy", encode_texts(load_encoder(), beginnings))
    learned = Word2Vec(tokens, vector_size=32, min_count=1, epochs=3, workers=1, seed=0).wv
    learned.save_word2vec_format(str(root / "Lee.vectors"))
    return Case(dataset, *(str(root / name) for name in ("Lee", "Lee.npy", "Lee.vectors")))


@pytest.fixture(scope="module")
def model(lee):
    """A model whose searches re-cut the atoms that it trains once."""
    return lee.model()


@pytest.fixture(scope="module")
def output(lee, model):
    return model.train_model(lee.dataset, top_words=10)


def all_metric_classes() -> dict[str, type]:
    """Find every metric class that OCTIS defines."""
    found = {}
    for info in pkgutil.iter_modules(octis.evaluation_metrics.__path__):
        module = importlib.import_module(f"octis.evaluation_metrics.{info.name}")
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, AbstractMetric):
                found[name] = value
    del found["AbstractMetric"]
    return found


METRICS = all_metric_classes()
VECTOR_METRICS = {name for name in METRICS if name.startswith(("WE", "Word"))}
LABEL_METRICS = {name for name in METRICS if name.endswith("Score")}


def test_every_metric_class_is_found():
    assert len(METRICS) == 24
    assert len(VECTOR_METRICS) == 9
    assert len(LABEL_METRICS) == 5


@pytest.mark.parametrize("name", sorted(METRICS))
def test_metric_scores_our_output(name, lee, output):
    settings = {}
    if name in VECTOR_METRICS:
        settings = {"word2vec_path": lee.word2vec_path, "binary": False}
    elif name in LABEL_METRICS:
        settings = {"dataset": lee.dataset}
    elif name == "Coherence":
        settings = {"texts": lee.dataset.get_corpus()}
    scored = output
    if name == "WordEmbeddingsWeightedSumSimilarity":
        # It alone wants the matrix under another name, which no model of OCTIS gives.
        settings["id2word"] = dict(enumerate(lee.dataset.get_vocabulary()))
        scored = output | {"topic-word-distribution": output["topic-word-matrix"]}
    score = METRICS[name](**settings).score(scored)
    if name == "ClassificationScore":  # the others' base: true and predicted labels
        assert len(score[0]) == len(score[1]) == output["test-topic-document-matrix"].shape[1]
    elif name == "WordEmbeddingsWeightedSumSimilarity":
        assert np.isnan(score)  # it divides by a count that OCTIS never raises from 0
    else:
        assert np.isfinite(score)


def test_output_has_the_shapes_octis_checks_its_own_models_for(lee, output):
    n_words = len(lee.dataset.get_vocabulary())
    train, _, test = lee.dataset.get_partitioned_corpus()
    assert [len(topic) for topic in output["topics"]] == [10] * 8
    assert output["topic-word-matrix"].shape == (8, n_words)
    assert output["topic-document-matrix"].shape == (8, len(train))
    assert output["test-topic-document-matrix"].shape == (8, len(test))


def test_topics_beat_chance(lee, output):
    """Random words of the vocabulary are not coherent; ours are."""
    texts = lee.dataset.get_corpus()
    rng = np.random.default_rng(0)
    chance = {"topics": rng.permutation(lee.dataset.get_vocabulary())[:80].reshape(8, 10).tolist()}
    npmi = Coherence(texts=texts)
    assert npmi.score(output) > npmi.score(chance) + 0.05
    assert TopicDiversity().score(output) > 0.6


def test_optimizer_searches_and_is_restarted(lee, tmp_path):
    space = {
        "num_topics": Integer(4, 12),
        "merge": Categorical(["kmeans", "ward"]),
        "emission_n_iter": Integer(2, 6),
        "sharpening": Real(1.0, 2.0),
    }
    result = Optimizer().optimize(
        lee.model(random_state=None, n_atoms=24),
        lee.dataset,
        EmbeddingIntruder(word2vec_path=lee.word2vec_path),
        space,
        extra_metrics=[TopicDiversity(topk=10)],
        number_of_call=3,
        n_random_starts=2,
        model_runs=2,
        surrogate_model="RF",
        random_state=0,
        save_path=f"{tmp_path}/",
        plot_best_seen=True,
        plot_model=True,
    )
    saved = json.loads((tmp_path / "result.json").read_text())
    assert len(result.info["f_val"]) == len(saved["f_val"]) == 3
    assert all(len(runs) == 2 for runs in saved["dict_model_runs"]["EmbeddingIntruder"].values())
    assert len(list((tmp_path / "models").glob("*.npz"))) == 6
    assert len(list(tmp_path.glob("*.png"))) == 3

    restarted = Optimizer().resume_optimization(str(tmp_path / "result.json"), extra_evaluations=1)
    assert len(restarted.info["f_val"]) == 4
    assert restarted.info["f_val"][:3] == saved["f_val"]
    assert restarted.info["model_name"] == "SAETM"
    assert len(list((tmp_path / "models").glob("*.npz"))) == 8


@pytest.mark.parametrize("surrogate", ["GP", "ET", "RS"])
def test_optimizer_takes_each_surrogate(lee, model, tmp_path, surrogate):
    result = Optimizer().optimize(
        model,
        lee.dataset,
        TopicDiversity(topk=10),
        {"num_topics": Integer(4, 12)},
        number_of_call=3,
        n_random_starts=2,
        model_runs=1,
        surrogate_model=surrogate,
        save_path=f"{tmp_path}/",
    )
    assert len(result.info["f_val"]) == 3


def test_experiment_manager_runs_our_model_and_metric(lee, tmp_path):
    manager = enable_dashboard()
    experiment = {
        "path": str(tmp_path),
        "experimentId": "first",
        "batchId": "batch",
        "dataset": lee.folder,
        "partitioning": True,
        "model": {"name": "SAETM", "parameters": {"embeddings_path": lee.embeddings_path}},
        "optimization": {
            "search_spaces": {"num_topics": {"low": 4, "high": 9}},
            "surrogate_model": "RF",
            "model_runs": 1,
            "n_random_starts": 1,
            "acquisition_function": "LCB",
            "iterations": 2,
        },
        "optimize_metrics": [
            {"name": "Coherence", "parameters": {"texts": "use dataset texts", "topk": 10}}
        ],
        "track_metrics": [{"name": "TopicSignificance", "parameters": {"junk": "background"}}],
    }
    manager.startExperiment(experiment)
    result = str(tmp_path / "first" / "first.json")
    assert manager.retrieveBoResults(result)["total_iterations"] == 2
    info = manager.singleInfo(result)
    assert info["model_name"] == "SAETM"
    assert len(info["f_val"]) == 2
    details = manager.getModelInfo(str(tmp_path / "first"), 1, 0)
    assert details


def keep_embeddings(lee: Case, folder: Path) -> None:
    """Write the files that CTM would, so that it computes no embeddings."""
    vectors = np.load(lee.embeddings_path)
    meta = lee.dataset.get_metadata()
    bounds = [0, meta["last-training-doc"], meta["last-validation-doc"], len(vectors)]
    for part, start, stop in zip(("train", "val", "test"), bounds[:-1], bounds[1:], strict=True):
        vectors[start:stop].dump(folder / f"ctm_{part}.pkl")


MODELS = {
    "LDA": {"random_state": 0},
    "LDA_tomopy": {},
    "NMF": {"random_state": 0},
    "NMF_scikit": {"alpha": 0.1},
    "ProdLDA": {"num_epochs": 2},
    "NeuralLDA": {"num_epochs": 2},
    "ETM": {"num_epochs": 2},
    "CTM": {"num_epochs": 2},
}


@pytest.mark.parametrize("name", MODELS)
def test_model_of_octis_runs_beside_ours(name, lee, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # neural models leave checkpoint.pt where they are
    settings = MODELS[name]
    if name == "CTM":
        keep_embeddings(lee, tmp_path)
        settings = settings | {"bert_path": str(tmp_path / "ctm")}
    octis_model = getattr(importlib.import_module(f"octis.models.{name}"), name)
    output = octis_model(num_topics=5, **settings).train_model(lee.dataset, top_words=10)
    assert len(output["topics"]) == 5
    assert np.shape(output["topic-word-matrix"])[0] == 5
    assert np.isfinite(TopicDiversity(topk=10).score(output))
    assert re.fullmatch(r"\(5, \d+\)", str(np.shape(output["test-topic-document-matrix"])))
