"""Generated input to every entry: calls with values that are legal, nearly legal, or anything."""

import pytest
from adapter_entries import ADAPTERS
from core_entries import CORE
from file_entries import FILES
from fuzzing import run

ENTRIES = {**CORE, **ADAPTERS, **FILES}


@pytest.mark.parametrize("name", ENTRIES)
def test_any_input_is_refused_or_gives_finite_numbers_and_mixtures(name):
    run(ENTRIES[name])
