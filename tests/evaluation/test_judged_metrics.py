"""C_I and C_R as OCTIS metrics, asking a real endpoint."""

import re

import pytest
from judge_server import Reply, serve

from saetm_plugins.octis import CoherenceRating, IntruderDetection

TOPICS = [[f"{theme}{letter}" for letter in "abcdefghij"] for theme in ("cat", "tax", "sun")]


def answer_first_word_or_50(messages, number):
    shown = re.search(r"does not: (\w+),", messages[1]["content"])
    return Reply(shown[1] if shown else "50")


def test_judged_metrics_ask_the_endpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    output = {"topics": TOPICS, "topic-word-matrix": None}
    with serve(answer_first_word_or_50) as server:
        settings = {"model": "judge", "base_url": server.base_url}
        cache = str(tmp_path / "answers")
        found = IntruderDetection(**settings, cache_path=cache).score(output)
        assert found in [pytest.approx(hits / 9) for hits in range(9)]
        asked = len(server.requests)
        assert asked == 9
        assert IntruderDetection(**settings, cache_path=cache).score(output) == found
        assert len(server.requests) == asked
        assert CoherenceRating(**settings).score(output) == 50
