import numpy as np
import pytest

from saetm_plugins.corpus.images import count_zero_shot_words

WORDS = ("cat", "dog", "truck", "thing")


class JointEncoder:
    """Words on axes, apart from pictures by an offset; "thing" is near to every picture."""

    def encode(self, texts):
        axes = np.vstack([np.eye(3, 8), np.full((1, 8), 0.3)])
        return axes[[WORDS.index(text.split()[-1]) for text in texts]] + [0, 0, 0, 0, 0, 0, 0, 2.0]


def draw():
    rng = np.random.default_rng(0)
    offset = np.array([0, 0, 0, 0, 0, 0, 1.5, 0])
    return np.eye(3, 8)[np.arange(60) % 3] + rng.normal(scale=0.05, size=(60, 8)) + offset


def test_words_are_those_a_picture_is_nearer_to_than_others_are():
    counts = count_zero_shot_words(draw(), WORDS, JointEncoder(), n_words=2)
    assert counts.shape == (60, 4)
    np.testing.assert_array_equal(np.asarray(counts.argmax(axis=1)).ravel(), np.arange(60) % 3)
    np.testing.assert_allclose(counts.sum(axis=1), 2, rtol=1e-5)
    assert np.diff(counts.indptr).max() <= 2


def test_a_picture_that_could_not_be_read_has_no_words():
    pictures = draw()
    pictures[5] = 0
    counts = count_zero_shot_words(pictures, WORDS, JointEncoder())
    assert counts[5].nnz == 0
    assert np.isfinite(counts.data).all()


def test_encoders_of_no_words_or_another_space_are_told():
    with pytest.raises(ValueError, match="8 dimensions and images in 5"):
        count_zero_shot_words(np.ones((3, 5)), WORDS, JointEncoder())
    pixels = type("Pixels", (), {"encode": lambda self, p: np.stack([x.resize(1) for x in p])})()
    with pytest.raises(TypeError, match="embed words as well as images"):
        count_zero_shot_words(np.ones((3, 5)), WORDS, pixels)
