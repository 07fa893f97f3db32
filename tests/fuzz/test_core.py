"""Generated input to the estimator, the stages beneath it, analysis, evaluation and plotting."""

import pytest
from entries import ENTRIES
from fuzzing import (
    arguments,
    check_call,
    examples,
)
from hypothesis import given


@pytest.mark.parametrize("name", ENTRIES)
def test_any_input_is_refused_or_gives_a_whole_result(name):
    entry = ENTRIES[name]

    @examples(entry.part)
    @given(arguments(entry))
    def run(made):
        check_call(entry, made)

    run()
