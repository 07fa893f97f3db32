"""Passages that speak for topics, with their characters."""

import numpy as np
import pytest

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.analysis import explain_document, spans
from saetm_plugins.corpus import Chunker


@pytest.fixture(scope="module")
def written(long_texts):
    """A fitted model, the three parts of a text, and the topic of each part's theme."""
    rng = np.random.default_rng(0)
    texts = [long_texts.write(rng, long_texts.themes[i % 5], 2) for i in range(150)]
    encoder = long_texts.Encoder()
    sae = train_sae(encoder.encode(texts), 16, n_steps=500)
    model = SAETopicModel(5, encoder=encoder, sae=sae, word_vectors="corpus").fit(texts)
    parts = [long_texts.write(rng, theme, 6) + " " for theme in "ace"]
    topics = long_texts.theme_topics(model)
    return model, parts, [topics["abcde".index(theme)] for theme in "ace"]


def test_parts_of_a_text_are_found_in_order(written):
    model, parts, topics = written
    text = "".join(parts)
    found = spans(model, text)
    assert found["topic"].tolist() == topics
    assert found["start"].tolist() == [0, *found["end"][:-1]]
    assert found["end"].iloc[-1] == len(text)
    ends = np.cumsum([len(part) for part in parts])
    assert np.abs(found["end"] - ends).max() < 200  # two sentences
    assert [text[row.start : row.end] for row in found.itertuples()] == found["text"].tolist()
    assert (found["share"] > 0.6).all()
    with pytest.raises(ValueError, match="at most the 30"):
        spans(model, text, chunker=Chunker(max_tokens=100))


def test_evidence_for_a_topic_lies_where_it_is(written):
    model, parts, topics = written
    text = "".join(parts)
    starts = np.cumsum([0, *(len(part) for part in parts)])
    for theme, topic in enumerate(topics):
        found = spans(model, text, topic)
        best = found.iloc[0]
        assert starts[theme] - 100 <= best["start"] < best["end"] <= starts[theme + 1] + 100
        assert (np.diff(found["weight"]) <= 0).all()
        share = model.transform([text], chunk=Chunker(max_tokens=30))[0, topic]
        assert found["weight"].sum() == pytest.approx(share, abs=0.05)


def test_explanations_name_passages(written):
    model, parts, topics = written
    text = "".join(parts)
    found = explain_document(model, text)
    assert found["weight"].sum() == pytest.approx(1, abs=1e-5)
    assert [text[row.start : row.end] for row in found.itertuples()] == found["passage"].tolist()
    starts = np.cumsum([0, *(len(part) for part in parts)])
    for row in found[found["weight"] > 0.1].itertuples():
        theme = topics.index(row.topic)
        assert starts[theme] - 100 <= row.start < starts[theme + 1]
    by_row = explain_document(model, 0, text="words of the fitted document")
    assert {"start", "end", "passage"} <= set(by_row)
    assert "start" not in explain_document(model, 0)
