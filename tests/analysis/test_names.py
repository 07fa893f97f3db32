import warnings

import numpy as np
import pytest

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.analysis import name_scores, name_topics, taxonomy
from saetm_plugins.analysis.names.by_chat import clean_name
from saetm_plugins.analysis.names.phrases import find_phrases, name_key
from saetm_plugins.evaluation import JudgeError

N_TOPICS = 10


class WordEncoder:
    """Encodes texts of the planted corpus: the mean direction of the documents with their words."""

    def __init__(self, documents, embeddings):
        self.vectors = {}
        for text, vector in zip(documents, embeddings, strict=True):
            for word in set(text.split()):
                total = self.vectors.setdefault(word, np.zeros_like(vector))
                total += vector
        self.width = embeddings.shape[1]

    def encode(self, texts):
        nothing = np.zeros(self.width, dtype=np.float32)
        found = []
        for text in texts:
            words = [word.strip(",").lower() for word in text.split()]
            found.append(sum((self.vectors.get(word, nothing) for word in words), nothing))
        return np.asarray(found, dtype=np.float32)


@pytest.fixture(scope="module")
def encoder(corpus):
    return WordEncoder(corpus.documents, corpus.embeddings)


@pytest.fixture(scope="module")
def trained(corpus):
    return train_sae(corpus.embeddings, 24, k=2)


@pytest.fixture
def model(corpus, trained, encoder):
    return SAETopicModel(N_TOPICS, sae=trained, encoder=encoder).fit(
        corpus.documents, embeddings=corpus.embeddings
    )


def test_phrases_are_nouns_as_they_are_written():
    texts = [
        "The space shuttle of NASA. I really think they launch the Space Shuttle soon.",
        "A space shuttle? We would think so, and you launch my rockets.",
        "NASA paid for the space shuttle; to think of a rocket!",
    ]
    found = find_phrases(texts, min_documents=2)
    assert "space shuttle" in found.texts
    assert "NASA" in found.texts
    assert not {"think", "launch", "really", "would think"} & set(found.texts)
    assert name_key("The Rockets") == name_key("the rocket")
    shuttle = found.texts.index("space shuttle")
    np.testing.assert_array_equal(found.doc_phrases[:, [shuttle]].toarray().ravel(), [1, 1, 1])


def test_names_find_their_documents_and_are_unique(model, corpus, plant_corpus, encoder):
    names = name_topics(model, corpus.documents)
    assert names == model.topic_labels_
    assert len({name_key(name) for name in names}) == N_TOPICS
    assert max(len(name.replace(",", " ").split()) for name in names) <= 3
    assert name_topics(model, corpus.documents) == names
    unseen = plant_corpus(300, seed=5)
    scores = name_scores(model, unseen.documents)
    assert scores["auc"].mean() > 0.85
    assert scores["documents"].sum() == 300
    wrong = name_scores(model, unseen.documents, names=list(np.roll(names, 3)))
    assert wrong["auc"].mean() < scores["auc"].mean() - 0.1
    assert wrong["flagged"].sum() > scores["flagged"].sum()


def test_texts_beside_their_embeddings_are_checked(model, corpus):
    texts = ["  ", *corpus.documents[1:50]]
    with pytest.warns(UserWarning, match="1 of 50 documents are blank"):
        scores = name_scores(model, texts, corpus.embeddings[:50])
    assert scores["documents"].sum() == 49
    with pytest.raises(ValueError, match="50 rows for 3 documents"):
        name_scores(model, texts[:3], corpus.embeddings[:50])


def test_no_two_names_are_alike_at_any_level(model, corpus):
    name_topics(model, corpus.documents)
    for documents in (None, corpus.documents):
        table = taxonomy(model, [2, 4, 10], documents=documents)
        assert table["name"].map(name_key).is_unique
        assert table.loc[table["level"] == 2, "name"].tolist() == model.topic_labels_


def test_names_stay_through_edits_saving_and_loading(model, corpus, tmp_path):
    name_topics(model, corpus.documents)
    model.undo()
    assert model.topic_labels_ == [None] * N_TOPICS
    names = name_topics(model, corpus.documents)
    model.merge_topics([2, 5])
    assert names[2] in model.topic_labels_
    model.undo()
    model.split_topic(0)
    assert set(names[1:]) <= set(model.topic_labels_)
    model.undo()
    assert model.topic_labels_ == names
    model.save(tmp_path / "model")
    assert SAETopicModel.load(tmp_path / "model", encoder=model.encoder).topic_labels_ == names


def test_without_documents_or_encoder_names_are_words(corpus, trained):
    model = SAETopicModel(N_TOPICS, sae=trained).fit(corpus.documents, embeddings=corpus.embeddings)
    names = name_topics(model)
    assert len({name_key(name) for name in names}) == N_TOPICS
    assert {word for name in names for word in name.split()} <= set(model.vocabulary_)
    phrases = name_topics(model, corpus.documents)  # chosen by where they occur
    right = [
        np.bincount(corpus.themes[model.labels_ == topic]).argmax() == "abcde".find(name[5])
        for topic, name in enumerate(phrases)
        if (model.labels_ == topic).any()
    ]
    assert np.mean(right) > 0.8
    with pytest.raises(ValueError, match="encoder"):
        name_scores(model, corpus.documents)


def test_bad_input_is_named_and_changes_nothing(model, corpus):
    texts = corpus.documents
    for name, given, options, error, message in (
        (name_topics, texts[:3], {}, ValueError, "documents holds 3 texts; the model was fitted"),
        (name_topics, texts, {"levels": [2, 6]}, ValueError, "levels must end in the model's 10"),
        (name_topics, texts, {"namer": "gpt"}, TypeError, "namer must be a chat"),
        (name_scores, texts, {"names": ["one"]}, ValueError, "names holds 1 names for 10 topics"),
        (name_scores, None, {}, ValueError, "documents and embeddings are both None"),
    ):
        with pytest.raises(error, match=message):
            name(model, given, **options)
    assert model.topic_labels_ == [None] * N_TOPICS


class Namer:
    """Answers questions in turn; raises after `stop` of them."""

    def __init__(self, answer, stop=None):
        self.answer_to, self.stop, self.prompts = answer, stop, []

    def __call__(self, prompt):
        if self.stop is not None and len(self.prompts) >= self.stop:
            raise ConnectionError("the endpoint is down")
        self.prompts.append(prompt)
        return self.answer_to(len(self.prompts))


def test_a_language_model_is_shown_the_prompts_cost_and_siblings(model, corpus):
    namer, seen = Namer(lambda n: f"Name: **Subject {n:02d}x**"), []
    names = name_topics(
        model,
        corpus.documents,
        namer=namer,
        levels=[3, N_TOPICS],
        confirm=lambda *shown: seen.append((len(namer.prompts), *shown)),
    )
    asked, prompts, estimate = seen[0]
    assert asked == 0
    assert len(prompts) == estimate.n_questions == 13
    assert estimate.prompt_tokens > 1000
    assert sorted(names) == [f"Subject {n:02d}x" for n in range(1, 11)]
    assert "must tell it apart from" in namer.prompts[0]
    assert corpus.documents[0].split()[0][:5] in namer.prompts[0]
    assert "have in common: Subject" in namer.prompts[10]  # a parent, by its children's new names


def test_words_only_leave_the_house_when_documents_are_not_shared(model, corpus):
    namer = Namer(lambda n: f"Subject {n:02d}x")
    name_topics(model, corpus.documents, namer=namer, share_documents=False, confirm=None)
    assert not any("<text>" in prompt for prompt in namer.prompts)
    declined = Namer(str)
    name_topics(model, corpus.documents, namer=declined, confirm=lambda *_: False)
    assert not declined.prompts


def test_names_that_are_none_or_taken_are_asked_for_again(model, corpus):
    answers = ["x" * 3000, "\n\n", "Same", "Same", "same", "sames"]
    namer = Namer(lambda n: answers[n - 1] if n <= len(answers) else f"Other {n}q")
    names = name_topics(model, corpus.documents, namer=namer, confirm=None)
    assert max(map(len, names)) <= 60
    assert not any("\n" in name for name in names)
    assert len({name_key(name) for name in names}) == N_TOPICS
    stubborn = Namer(lambda n: "Always this")
    names = name_topics(model, corpus.documents, namer=stubborn, confirm=None)
    assert len({name_key(name) for name in names}) == N_TOPICS
    assert all(name.startswith("Always this") for name in names)


def test_an_endpoint_down_in_the_middle_keeps_names_and_goes_on(model, corpus, tmp_path):
    cache = tmp_path / "answers.db"
    local = name_topics(model, corpus.documents, levels=[3, N_TOPICS])
    broken = Namer(lambda n: f"Subject {n:02d}x", stop=4)
    with pytest.warns(UserWarning, match="stopped answering after 4 names"):
        names = name_topics(
            model, corpus.documents, namer=broken, cache=cache, confirm=None, levels=[3, N_TOPICS]
        )
    assert sum(name.startswith("Subject") for name in names) == 4
    assert set(names[4:]) <= set(local)
    again = Namer(lambda n: f"Subject {n + 50}x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = name_topics(
            model, corpus.documents, namer=again, cache=cache, confirm=None, levels=[3, N_TOPICS]
        )
    assert names[:4] == [f"Subject {n:02d}x" for n in range(1, 5)]
    assert len(again.prompts) == 13 - 4
    dead = Namer(str, stop=0)
    before = model.topic_labels_
    with pytest.raises(JudgeError, match="the endpoint is down"):
        name_topics(model, corpus.documents, namer=dead, confirm=None)
    assert model.topic_labels_ == before


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ('"Space travel."', "Space travel"),
        ("Topic name: Gun control\nBecause …", "Gun control"),
        ("**C++ compilers**", "C++ compilers"),
        ("- a\tb\u200b", "a b"),
    ],
)
def test_answers_are_cleaned(answer, name):
    assert clean_name(answer) == name
