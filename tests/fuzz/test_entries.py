"""Generated input to the estimator, the stages beneath it, analysis and evaluation."""

import pytest
from entries import ENTRIES
from fuzzing import run


@pytest.mark.parametrize("name", ENTRIES)
def test_any_input_is_refused_or_gives_finite_numbers_and_mixtures(name):
    run(ENTRIES[name])
