"""Iterables of batches: every row is used, however many come at a time."""

import warnings

import numpy as np
import pytest
import torch

from saetm_plugins.atoms import train_sae
from saetm_plugins.atoms.data.batches import streamed_batches
from saetm_plugins.atoms.data.streams import RowStream

BUFFER_ROWS = 300


class Batches:
    """An iterable that can be read again, and counts how often it was."""

    def __init__(self, rows, size):
        self.rows, self.size, self.n_passes = rows, size, 0

    def __iter__(self):
        self.n_passes += 1
        return (self.rows[i : i + self.size] for i in range(0, len(self.rows), self.size))


@pytest.fixture
def small_buffer(monkeypatch):
    monkeypatch.setattr("saetm_plugins.atoms.data.streams.BUFFER_BYTES", 4 * 32 * BUFFER_ROWS)


def _sorted(rows):
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("size", [1, 64, 1100])
def test_every_row_of_a_single_pass_is_used(embeddings, small_buffer, size):
    stream = RowStream(iter(Batches(embeddings, size)))
    assert stream.n_documents is None
    batches = list(streamed_batches(stream.passes(), 64, seed=0))
    assert [len(batch) for batch in batches] == [64] * 24  # 1,500 rows, and 36 that came before
    used = np.concatenate(batches)
    assert np.array_equal(_sorted(used[:1500]), _sorted(embeddings))
    assert not np.array_equal(used[:1500], embeddings)


def test_every_pass_over_an_iterable_uses_every_row_in_a_new_order(embeddings, small_buffer):
    source = Batches(embeddings, 7)
    stream = RowStream(source)
    assert stream.n_documents == 1500
    batches = streamed_batches(stream.passes(), 50, seed=0)
    epochs = [np.concatenate([next(batches) for _ in range(30)]) for _ in range(3)]
    for epoch in epochs:
        assert np.array_equal(_sorted(epoch), _sorted(embeddings))
    assert not np.array_equal(epochs[0], epochs[1])
    assert source.n_passes == 4  # once to count


def test_a_generator_that_fits_the_buffer_trains_on_all_of_it(embeddings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sae = train_sae(iter(Batches(embeddings, 64)), n_atoms=40, k=4, n_steps=200)
    assert sae.settings_["n_documents"] == 1500
    assert sae.statistics_["fvu"] < 0.45


def test_an_iterable_is_read_until_the_last_step(embeddings, small_buffer):
    source = Batches(embeddings, 20)
    sae = train_sae(source, n_atoms=40, k=4, n_steps=300, batch_size=50)
    assert sae.statistics_["fvu"] < 0.45
    assert sae.settings_["n_documents"] == 1500
    assert source.n_passes >= 10


class Once(Batches):
    """An iterable that is empty when it is read again after it was counted."""

    def __iter__(self):
        return super().__iter__() if self.n_passes < 2 else iter(())


@pytest.mark.parametrize(
    "make", [lambda rows: iter(Batches(rows, 20)), lambda rows: Once(rows, 20)]
)
def test_a_source_that_ends_early_says_after_how_many_steps(embeddings, small_buffer, make):
    with pytest.warns(UserWarning, match="ended after 30 of 200 steps: give n_steps=30"):
        train_sae(make(embeddings), 40, k=4, n_steps=200, batch_size=50)


def test_an_iterator_of_unknown_length_needs_a_number_of_steps(embeddings, small_buffer):
    with pytest.raises(ValueError, match=r"goes on after 300 rows.* give n_steps"):
        train_sae(iter(Batches(embeddings, 20)), n_atoms=40)


@pytest.mark.parametrize("batch_size", [None, 64])
def test_lists_and_loaders_are_counted_in_rows(embeddings, small_buffer, batch_size):
    rows = list(Batches(embeddings, 50)) if batch_size is None else list(embeddings)
    loader = torch.utils.data.DataLoader(rows, batch_size=batch_size)
    for source in (loader, list(Batches(embeddings, 70))):
        sae = train_sae(source, n_atoms=40, k=4, n_steps=20, batch_size=50)
        assert sae.settings_["n_documents"] == 1500
