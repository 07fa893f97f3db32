"""Supervised and semi-supervised topics: all classes known, or some."""

from sklearn.metrics import normalized_mutual_info_score


def run(make, news, folder):
    names = sorted(set(news.classes))
    y = [names.index(name) for name in news.classes]
    some = [label if label < len(names) // 3 else -1 for label in y]
    free = make().fit(news.documents, news.embeddings)
    partly = make().fit(news.documents, news.embeddings, y=some)
    wholly = make().fit(news.documents, news.embeddings, y=y)
    scores = [normalized_mutual_info_score(y, fitted.topics_) for fitted in (free, partly, wholly)]
    assert scores[2] > scores[0] - 0.02
    topics, _ = wholly.transform(news.documents[:4], news.embeddings[:4])
    assert [int(topic) for topic in topics] == wholly.topics_[:4]
