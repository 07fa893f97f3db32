"""Generated input to every entry: calls with values that are legal, nearly legal, or anything."""

import pytest
from entries import ENTRIES
from file_entries import FILES
from fuzzing import run


@pytest.mark.parametrize("entry", [*ENTRIES.values(), *FILES.values()], ids=[*ENTRIES, *FILES])
def test_any_input_is_refused_or_gives_finite_numbers_and_mixtures(entry):
    run(entry)
