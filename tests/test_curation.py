import copy
import warnings

import numpy as np
import pytest

from saetm_plugins import SAETopicModel

N_TOPICS = 6


@pytest.fixture(scope="module", params=["nmf", "ward"])
def cut(request, corpus, sae):
    """Six topics by a soft merge and by a hard one, for reading only."""
    model = SAETopicModel(N_TOPICS, sae=sae, merge=request.param)
    return model.fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture
def model(cut):
    return copy.copy(cut)


def check_consistent(model):
    np.testing.assert_allclose(model.doc_topics_.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(model.components_.sum(axis=1), 1, atol=1e-4)
    np.testing.assert_array_equal(model.labels_, model.doc_topics_.argmax(axis=1))
    assert model.doc_topics_.shape[1] == len(model.components_) == model.n_topics_
    assert len(model.topic_labels_) == model.n_topics_


def test_merged_topics_hold_the_sum_of_their_mixtures(model):
    before = model.doc_topics_
    with pytest.warns(UserWarning, match="other numbers now") as caught:
        assert model.merge_topics([[1, 4]]) is model
    assert "4 → 1, 5 → 4" in str(caught[0].message)
    check_consistent(model)
    expected = np.column_stack([before[:, 0], before[:, 1] + before[:, 4], before[:, [2, 3, 5]]])
    np.testing.assert_allclose(model.doc_topics_, expected, atol=1e-5)
    assert model.merge_topics([0, 1, 2]).n_topics_ == N_TOPICS - 3, "one flat list is one group"


def test_split_topics_share_the_mixture_of_the_whole(model):
    before = model.doc_topics_
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no number changes
        model.split_topic(2, n=3)
    assert model.n_topics_ == N_TOPICS + 2
    check_consistent(model)
    others = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(model.doc_topics_[:, others], before[:, others], atol=1e-6)
    parts = model.doc_topics_[:, [2, 6, 7]]
    np.testing.assert_allclose(parts.sum(axis=1), before[:, 2], atol=1e-5)
    sizes = model.topic_prevalence_[[2, 6, 7]]
    assert (np.diff(sizes) <= 1e-6).all()
    assert sizes.min() > 0


def test_a_deleted_topic_leaves_mixtures_and_later_cuts_until_undone(model):
    before, labels = model.doc_topics_, model.labels_
    with pytest.warns(UserWarning, match="other numbers now: 3-5 → 2-4"):
        model.delete_topics([2])
    np.testing.assert_allclose(model.doc_topics_, np.delete(before, 2, axis=1), atol=1e-6)
    number = np.array([0, 1, -1, 2, 3, 4])
    np.testing.assert_array_equal(model.labels_, number[labels])
    model.undo()
    np.testing.assert_array_equal(model.labels_, labels)
    model.delete_topics([2]).retopic(4)
    assert (model.doc_topics_[labels == 2].sum(axis=1) < 0.7).all()


def test_edits_take_names_wherever_they_take_numbers(model):
    by_number = copy.copy(model)
    names = ["art", "coffee", "prints", "tea", "trains", "rest"]
    model.set_topic_labels(names)
    model.merge_topics(["coffee", "tea"]).delete_topics(["trains"]).split_topic("prints")
    model.set_topic_labels({"coffee": "drinks"})
    by_number.merge_topics([1, 3]).delete_topics([3]).split_topic(2)
    np.testing.assert_array_equal(model.doc_topics_, by_number.doc_topics_)
    assert model.topic_labels_ == ["art", "drinks", None, "rest", None]


def test_edits_are_undone_after_loading(model, tmp_path):
    steps = [model.topics_]
    for edit in (
        lambda: model.set_topic_labels({0: "first", 3: "fourth"}),
        lambda: model.merge_topics([1, "fourth"]),
        lambda: model.split_topic(0),
        lambda: model.delete_topics([2]),
    ):
        edit()
        steps.append(model.topics_)
    model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    for topics in reversed(steps):
        np.testing.assert_array_equal(loaded.components_, topics.words)
        np.testing.assert_array_equal(loaded.atom_topics_.toarray(), topics.atom_topics.toarray())
        assert loaded.topics_.labels == topics.labels
        if topics is not steps[0]:
            loaded.undo()
    with pytest.raises(ValueError, match="no edit"):
        loaded.undo()


def test_dropped_atoms_weigh_nothing_and_a_topic_without_atoms_goes(model):
    heaviest = np.argsort(-model.atom_prevalence_)[:3]
    model.drop_atoms(heaviest)
    assert model.atom_topics_[heaviest].nnz == 0
    check_consistent(model)
    n_topics = model.n_topics_
    model.drop_atoms(np.flatnonzero(model.atom_topics_.toarray()[:, 2] > 0))
    assert model.n_topics_ < n_topics
    check_consistent(model)


def test_a_topic_whose_atoms_have_no_documents_left_can_be_split(model, corpus):
    for _ in range(2):
        model.partial_fit(corpus.documents[:2], embeddings=corpus.embeddings[:2], decay=0)
    for _ in range(5):
        sizes = np.diff(model.atom_topics_.tocsc().indptr)
        model.split_topic(int(np.flatnonzero(sizes >= 2)[-1]))  # the least prevalent
    assert np.isfinite(model.components_).all()


def test_labels_follow_their_topics(model):
    model.set_topic_labels({0: "first", 3: "fourth"})
    words = dict(zip(model.topic_labels_, model.get_topics(5), strict=True))
    model.merge_topics([[1, 2]])
    after = dict(zip(model.topic_labels_, model.get_topics(5), strict=True))
    assert after["first"] == words["first"]
    assert after["fourth"] == words["fourth"]


def test_every_edit_can_be_undone(model):
    components, labels = model.components_.copy(), model.labels_.copy()
    model.merge_topics([[1, 4]]).split_topic(0).drop_atoms([int(model.atom_prevalence_.argmax())])
    model.set_topic_labels({0: "x"})
    for _ in range(4):
        model.undo()
    np.testing.assert_allclose(model.components_, components, atol=1e-6)
    np.testing.assert_array_equal(model.labels_, labels)
    assert model.topic_labels_ == [None] * N_TOPICS
    with pytest.raises(ValueError, match="no edit to undo"):
        model.undo()


def test_a_new_cut_forgets_edits_but_not_the_names_of_topics_that_survive(model):
    model.set_topic_labels({topic: f"name {topic}" for topic in range(N_TOPICS)})
    before = dict(zip(model.topic_labels_, model.atom_topics_.toarray().T, strict=True))
    model.retopic(N_TOPICS - 1)
    kept = [topic for topic, label in enumerate(model.topic_labels_) if label]
    assert 3 <= len(kept) < N_TOPICS  # of those that were not torn apart
    for topic in kept:
        old = before[model.topic_labels_[topic]] * model.atom_prevalence_
        new = model.atom_topics_.toarray()[:, topic] * model.atom_prevalence_
        assert np.minimum(old, new).sum() > 0.5 * max(old.sum(), new.sum())
    assert len({label for label in model.topic_labels_ if label}) == len(kept)
    with pytest.raises(ValueError, match="no edit"):
        model.undo()


def test_names_come_back_where_a_cut_is_made_again(model):
    names = [f"name {topic}" for topic in range(N_TOPICS)]
    model.set_topic_labels(names).retopic(N_TOPICS)
    assert model.topic_labels_ == names
    assert model.retopic(1).topic_labels_ == [None]  # all of them in one: none survives


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("merge_topics", [[[1, 99]]], r"topics_to_merge names topics \[99\]"),
        ("merge_topics", [[[1, 2], [2, 3]]], "topics_to_merge names a topic twice"),
        ("split_topic", [0, 1], "n must be at least 2"),
        ("split_topic", [0, 10_000], "n=10000 is more than the"),
        ("drop_atoms", [range(32)], "no topic would be left"),
        ("set_topic_labels", [["x"]], "1 names for 6 topics"),
        ("merge_topics", [["tea", 1]], "'tea', which 0 topics are called; names: none"),
        ("delete_topics", [range(6)], "names all 6 topics"),
    ],
)
def test_a_failed_edit_changes_nothing(model, name, arguments, message):
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        getattr(model, name)(*arguments)
    after = vars(model)
    assert all(before[name] is after[name] for name in before)


def test_edits_of_a_model_without_words(wordless):
    model = copy.copy(wordless).merge_topics([[0, 1]]).split_topic(0)
    assert model.n_topics_ == 5
    assert model.components_ is None


def test_atoms_of_topics_that_are_left_out_go_to_other_topics(fitted):
    live = np.flatnonzero(fitted.atom_prevalence_ > 0)
    left = fitted.topics_.select([0, 1])
    np.testing.assert_allclose(left.atom_topics[live].sum(axis=1), 1, atol=1e-6)
