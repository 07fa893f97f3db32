"""Topics that are named beforehand."""

import numpy as np
import pytest

from saetm_plugins.merging import MERGES, guided_cut, make_merge


def label_vectors(views, themes, wanted):
    return np.stack([views.vectors[themes == theme].mean(axis=0) for theme in wanted])


@pytest.mark.parametrize("name", list(MERGES))
def test_labels_take_their_atoms_and_the_rest_merges_freely(planted, name):
    views, themes = planted
    labels = label_vectors(views, themes, (4, 1))
    cut = guided_cut(make_merge(name), views, labels, 6)
    assert cut.atom_topics.shape == (48, 6)
    live = views.prevalence > 0
    winners = np.asarray(cut.atom_topics.argmax(axis=1)).ravel()
    assert set(winners[(themes == 4) & live]) == {0}
    assert set(winners[(themes == 1) & live]) == {1}
    assert set(winners[live & ~np.isin(themes, (1, 4))]) == {2, 3, 4, 5}
    np.testing.assert_allclose(np.asarray(cut.atom_topics.sum(axis=1)).ravel(), live, atol=1e-5)


def test_given_words_come_first_and_draw_atoms(planted):
    views, themes = planted
    labels = label_vectors(views, themes, (2,))
    cut = guided_cut(make_merge("nmf"), views, labels, 6, label_words=[[40, 33]])
    assert set(np.argsort(-cut.topic_words[0])[:2]) == {40, 33}
    assert (np.argsort(-cut.topic_words[0])[:8] // 15 == 2).all()
    np.testing.assert_allclose(cut.topic_words.sum(axis=1), 1, rtol=1e-5)


def test_labels_alone_share_all_atoms_and_none_stays_empty(planted):
    views, themes = planted
    labels = label_vectors(views, themes, range(6))
    cut = guided_cut(make_merge("nmf"), views, np.vstack([labels, labels[:1]]), 7)
    assert (np.diff(cut.atom_topics.tocsc().indptr) > 0).all()
    assert cut.topic_words.shape == (7, 90)
    every = guided_cut(make_merge("ward"), views, labels[:2], 46)  # each live atom is a topic
    assert (np.diff(every.atom_topics.tocsc().indptr) > 0).all()
