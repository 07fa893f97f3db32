"""A test with generated input must try something: a part of the inputs reaches the work."""

import pytest
from fuzzing import FIRST_TALLY, TALLY

LEAST = 0.1
ENOUGH = 50  # inputs, below which a share says little


@pytest.fixture(autouse=True)
def _enough_inputs_are_taken():
    TALLY.clear()
    FIRST_TALLY.clear()
    yield
    taken, tried = FIRST_TALLY["taken"], FIRST_TALLY["taken"] + FIRST_TALLY["refused"]
    if tried >= ENOUGH:
        assert taken >= LEAST * tried, f"of {tried} inputs {taken} were taken"
