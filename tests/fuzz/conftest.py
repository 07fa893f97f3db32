"""A test with generated input must try something: a part of the inputs reaches the work."""

import pytest
from fuzzing import TALLY

LEAST = 0.1
ENOUGH = 50  # inputs, below which a share says little


@pytest.fixture(autouse=True)
def _enough_inputs_are_taken():
    TALLY.clear()
    yield
    tried = TALLY["taken"] + TALLY["refused"]
    if tried >= ENOUGH:
        assert TALLY["taken"] >= LEAST * tried, f"of {tried} inputs {TALLY['taken']} were taken"
