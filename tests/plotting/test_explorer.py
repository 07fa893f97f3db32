"""What is in the page; how it behaves in a browser is integration/test_explorer.py's."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from itertools import combinations

import numpy as np
import pytest

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.plotting import explore, map_documents
from saetm_plugins.plotting import explorer as module

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)> & {{DATA}}"


def read(path):
    page = path.read_text(encoding="utf-8")
    packed = re.search(r'<script id="data"[^>]*>([^<]*)</script>', page)[1]
    return page, json.loads(gzip.decompress(base64.b64decode(packed)))


@pytest.fixture(scope="module")
def page(model, corpus, tmp_path_factory):
    documents = [HOSTILE, *corpus.documents[1:]]
    groups = [HOSTILE if theme == 0 else f"theme {theme}" for theme in corpus.themes]
    return explore(
        model,
        documents,
        tmp_path_factory.mktemp("page") / "topics.html",
        positions=np.eye(400, 2),
        ids=[f"id{row}" for row in range(400)],
        groups=groups,
        times=np.repeat([2001, 2002, 2003, 2004], 100),
        title=HOSTILE,
    )


def test_nothing_of_the_data_becomes_markup_and_nothing_is_fetched(page):
    text, content = read(page)
    assert content["texts"][0] == HOSTILE
    assert "owned" not in text.replace("&#x27;owned&#x27;", "")  # the title, escaped
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    parser.feed(text)
    assert [tag for tag, _ in tags].count("script") == 2
    assert not {"img", "iframe", "link"} & {tag for tag, _ in tags}
    assert not any({"src", "href"} & set(attributes) for _, attributes in tags)
    assert "http" not in re.sub(r'<meta http-equiv="Content-Security-Policy"', "", text)
    assert "default-src 'none'" in text


def test_it_holds_topics_documents_mixtures_and_shares(page, model, corpus):
    _, content = read(page)
    assert [len(level) for level in content["levels"]] == [4, 16]
    finest = content["levels"][1]
    np.testing.assert_allclose([t["share"] for t in finest], model.topic_prevalence_, atol=1e-6)
    groups = np.array([topic["groups"] for topic in finest])
    np.testing.assert_allclose(groups.sum(axis=0), 1, atol=1e-3)
    in_first = corpus.themes == 0
    place = content["groups"]["names"].index(HOSTILE)
    np.testing.assert_allclose(
        groups[:, place], model.doc_topics_[in_first].mean(axis=0), atol=1e-4
    )
    assert content["times"]["names"] == ["2001", "2002", "2003", "2004"]
    shares = np.frombuffer(base64.b64decode(content["arrays"]["mixture_shares"]), np.uint8)
    largest = shares.reshape(400, -1)[:, 0] / 255
    np.testing.assert_allclose(largest, model.doc_topics_.max(axis=1), atol=0.003)
    assert content["ids"][:2] == ["id0", "id1"]
    for topic, typical in zip(range(16), [t["typical"] for t in finest], strict=True):
        assert typical[0] == model.doc_topics_[:, topic].argmax()


def rgb(color):
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])


@pytest.mark.parametrize("shape", [[20], [30], [4, 16], [5, 20], [3, 12, 48]])
def test_the_first_twenty_topics_differ_in_colour(shape):
    levels = [
        [{"share": 1 / (t + 1), "parent": t % shape[i - 1] if i else -1} for t in range(n)]
        for i, n in enumerate(shape)
    ]
    module._color(levels)
    for topics in levels:
        assert len({topic["color"] for topic in topics}) == len(topics)
    for topics in levels:
        first = [rgb(topic["color"]) for topic in topics[:20]]
        apart = [np.linalg.norm(a - b) for a, b in combinations(first, 2)]
        assert min(apart) > 20


def test_the_first_view_holds_98_per_cent_of_the_documents():
    positions = np.random.default_rng(0).normal(size=(1000, 2))
    positions[:4] = 1e6  # a few far away
    place, (low, high) = module._frame(positions)
    inside = ((place >= low) & (place <= high)).all(axis=1)
    assert 0.98 <= inside.mean() < 1
    assert place.min() >= 0
    assert place.max() <= 1
    assert (np.ptp(place[inside], axis=0) > 0.3).all()  # they are not shrunk to a point


def test_steps_are_said(model, corpus, tmp_path, capsys):
    explore(model, corpus.documents, tmp_path / "page.html", verbose=True)
    said = capsys.readouterr().err.splitlines()
    assert said == ["Naming 20 topics", "Laying out 400 documents", "Writing the page"]


def test_the_same_call_writes_the_same_page(model, corpus, tmp_path):
    options = {"positions": np.eye(400, 2)}
    written = [explore(model, corpus.documents, tmp_path / f"{n}.html", **options) for n in (1, 2)]
    assert written[0].read_bytes() == written[1].read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        explore(model, corpus.documents, written[0])


def test_long_texts_are_shortened_until_the_page_is_small(model, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_PAGE", 400_000)
    rng = np.random.default_rng(0)
    documents = ["".join(map(chr, rng.integers(97, 123, 5000))) for _ in range(400)]
    path = explore(model, documents, tmp_path / "page.html", positions=rng.normal(size=(400, 2)))
    assert 200_000 < path.stat().st_size < 400_000


def test_pictures_of_typical_documents(model, corpus, tmp_path):
    images = [np.full((8, 8, 3), row % 255, dtype=np.uint8) for row in range(400)]
    places = np.eye(400, 2)
    path = explore(model, None, tmp_path / "page.html", images=images, positions=places)
    _, content = read(path)
    typical = {row for level in content["levels"] for topic in level for row in topic["typical"]}
    assert set(map(int, content["pictures"])) == typical
    assert content["pictures"][str(min(typical))].startswith("data:image/jpeg;base64,")


def test_of_many_documents_some_are_drawn(model, corpus, tmp_path):
    with pytest.warns(UserWarning, match="the page shows 100 of 400 documents"):
        path = explore(model, corpus.documents, tmp_path / "page.html", max_documents=100,
                       positions=np.eye(400, 2))  # fmt: skip
    _, content = read(path)
    assert len(content["texts"]) == 100
    np.testing.assert_allclose(
        [topic["share"] for topic in content["levels"][1]], model.topic_prevalence_, atol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"documents": ["one"]}, "documents holds 1 texts; the model was fitted to 400"),
        ({"documents": None}, "documents and images are both None"),
        ({"ids": [1]}, "ids has 1 entries for 400 documents"),
        ({"times": [1]}, "times has 1"),
        ({"levels": [9, 3]}, "levels must rise"),
        ({"positions": np.zeros((3, 2))}, "positions has 3 rows"),
        ({"path": "page.txt"}, "path must end in .html"),
    ],
)
def test_bad_input_is_named_before_the_work(model, corpus, tmp_path, change, message):
    arguments = {"documents": corpus.documents, "path": "page.html", **change}
    path = tmp_path / arguments.pop("path")
    with pytest.raises(ValueError, match=message):
        explore(model, arguments.pop("documents"), path, **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["umap", "tsne", "pca"])
def test_documents_near_each_other_lie_near_on_the_map(corpus, method):
    laid = map_documents(corpus.embeddings, method=method)
    assert laid.shape == (400, 2)
    assert laid.min() >= 0
    assert laid.max() <= 1
    same = corpus.themes[:, None] == corpus.themes
    apart = np.linalg.norm(laid[:, None] - laid, axis=2)
    assert apart[same].mean() < 0.75 * apart[~same].mean()
    np.testing.assert_array_equal(laid, map_documents(corpus.embeddings, method=method))


def test_maps_of_few_or_equal_documents():
    assert map_documents(np.ones((2, 5), dtype=np.float32)).shape == (2, 2)
    assert np.isfinite(map_documents(np.ones((50, 5), dtype=np.float32))).all()


def test_evidence_is_marked_in_typical_documents(long_texts, tmp_path):
    rng = np.random.default_rng(0)
    pairs = [("abcde"[i % 5], "abcde"[(i + 1) % 5]) for i in range(40)]
    texts = [f"{long_texts.write(rng, a, 3)} 😀 {long_texts.write(rng, b, 9)}" for a, b in pairs]
    encoder = long_texts.Encoder()
    sae = train_sae(encoder.encode(texts), 16, n_steps=500)
    model = SAETopicModel(5, encoder=encoder, sae=sae, word_vectors="corpus").fit(texts)
    path = explore(model, texts, tmp_path / "page.html", evidence=True, positions=np.eye(40, 2))
    _, content = read(path)
    assert content["evidence"]
    for place, (start, end) in content["evidence"].items():
        units = texts[int(place)].encode("utf-16-le")
        marked = units[2 * start : 2 * end].decode("utf-16-le")  # as JavaScript counts
        assert marked.count(f"theme{pairs[int(place)][1]}") > 10
        assert marked.endswith(".")
