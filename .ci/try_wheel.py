"""Use an installed package with one extra: ``python try_wheel.py bertopic``."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

extra = sys.argv[1] if len(sys.argv) > 1 else ""
rng = np.random.default_rng(0)
WORDS = [["goal", "match", "striker"], ["court", "judge", "trial"], ["rain", "storm", "wind"]]
texts = [" ".join(rng.choice(WORDS[row % 3], size=6)) for row in range(120)]
embeddings = np.eye(3, 32)[np.arange(120) % 3] + 0.1 * rng.normal(size=(120, 32))
tokens = [text.split() for text in texts]


def of_core():
    from saetm_plugins import SAETopicModel

    model = SAETopicModel(n_topics=3, word_vectors="corpus").fit(texts, embeddings=embeddings)
    assert sorted(sorted(words[:3]) for words in model.get_topics()) == sorted(map(sorted, WORDS))
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        again = SAETopicModel.load(Path(folder) / "model")
    np.testing.assert_array_equal(again.labels_, model.labels_)
    assert len({(row % 3, topic) for row, topic in enumerate(model.labels_)}) == 3
    return model


def of_offline():
    from saetm_plugins import SAETopicModel

    assert SAETopicModel(n_topics=3).fit(texts).transform(["a judge and a trial"]).shape == (1, 3)


def of_bertopic():
    from saetm_plugins.bertopic import SAEBERTopic

    topics, _ = SAEBERTopic(n_topics=3, word_vectors="corpus").fit_transform(texts, embeddings)
    assert len(set(topics)) == 3


def of_gensim():
    from gensim.corpora import Dictionary

    from saetm_plugins.gensim import SaeModel

    dictionary = Dictionary(tokens)
    corpus = [dictionary.doc2bow(words) for words in tokens]
    model = SaeModel(corpus, num_topics=3, id2word=dictionary, embeddings=embeddings)
    assert len(model.print_topics()) == 3


def of_octis():
    import octis  # noqa: F401

    from saetm_plugins.octis import SAETM

    assert SAETM(num_topics=3).hyperparameters["num_topics"] == 3


def of_evaluation():
    from saetm_plugins.evaluation import topic_coherence

    assert topic_coherence(WORDS, tokens, n_words=3).shape == (3,)


def of_languages():
    from saetm_plugins.corpus import WordVectorizer

    counts = WordVectorizer(language="chinese", min_df=1).fit_transform(
        ["我们喜欢足球比赛", "法官在法院"]
    )
    assert counts.shape[1] > 2


def of_merging():
    from saetm_plugins import SAETopicModel

    model = SAETopicModel(merge="ward", seed_topics={"law": ["judge", "trial"]})
    assert "law" in model.fit(texts, embeddings=embeddings).topic_labels_


def of_cli():
    saetm = str(Path(sys.executable).with_name("saetm"))
    assert (
        "assign"
        in subprocess.run([saetm, "--help"], check=True, capture_output=True, text=True).stdout
    )


def of_images():
    from saetm_plugins import SAETopicModel

    class Pixels:
        def encode(self, pictures):
            return np.stack([np.asarray(picture, dtype=np.float32).ravel() for picture in pictures])

    pictures = (
        rng.integers(0, 60, size=(120, 8, 8, 3)) + 60 * (np.arange(120) % 3)[:, None, None, None]
    )
    model = SAETopicModel(n_topics=3, encoder=Pixels()).fit(images=pictures.astype(np.uint8))
    assert model.doc_topics_.shape == (120, 3)


def of_analysis():
    from saetm_plugins.analysis import compare_groups
    from saetm_plugins.plotting import plot_comparison

    table = compare_groups(of_core(), ["a", "b", "b"] * 40, "a", "b")
    assert len(table) == 3
    assert plot_comparison(table).data


tests = {name[3:]: test for name, test in list(globals().items()) if name.startswith("of_")}
if extra == "all":
    for name in tests.keys() - {"octis", "core"}:
        tests[name]()
else:
    of_core()
    if extra:
        tests[extra]()
print(f"{extra or 'core'}: works")
