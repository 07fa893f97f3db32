"""Topic distributions: of documents, and of the tokens in them."""

import numpy as np
from pandas.io.formats.style import Styler


def run(make, news, folder):
    docs = news.documents[:24]
    topic_model = make().fit(news.documents, news.embeddings)
    n_topics = len(topic_model.get_topic_info())
    topic_distr, _ = topic_model.approximate_distribution(docs)
    assert topic_distr.shape == (24, n_topics)
    row = int(topic_distr.max(axis=1).argmax())
    assert topic_model.visualize_distribution(topic_distr[row]).data
    topic_distr, topic_token_distr = topic_model.approximate_distribution(
        docs, calculate_tokens=True
    )
    if hasattr(topic_model, "sae_model_") or hasattr(Styler, "applymap"):
        # Stock BERTopic 0.17.4 asks the Styler for what pandas 3 no longer has.
        table = topic_model.visualize_approximate_distribution(docs[row], topic_token_distr[row])
        assert table is not None
    batched, _ = topic_model.approximate_distribution(docs, batch_size=8)
    np.testing.assert_allclose(batched, topic_distr, atol=1e-6)
    wide, _ = topic_model.approximate_distribution(docs, window=8, use_embedding_model=False)
    assert wide.shape == topic_distr.shape
    embedded, _ = topic_model.approximate_distribution(docs[:2], use_embedding_model=True)
    assert embedded.shape == (2, n_topics)
