"""A test with generated input must test the work: a part of its inputs is accepted."""

import pytest
from fuzzing import LEAST_TAKEN, TALLY


@pytest.fixture(autouse=True)
def _enough_inputs_are_accepted():
    TALLY.clear()
    yield
    accepted, total = TALLY["taken"], TALLY.total()
    if total >= 100:  # few inputs of hypothesis are alike
        assert accepted >= LEAST_TAKEN * total, f"of {total} inputs {accepted} were accepted"
