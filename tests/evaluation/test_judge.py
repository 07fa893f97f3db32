"""The judge, against a real HTTP server that answers well, late, too often asked, or in prose."""

import re
import sqlite3

import numpy as np
import pytest
from judge_server import Reply, serve

from saetm_plugins.evaluation import AnswerCache, JudgeError, OpenAIChat, PipelineChat, TopicJudge
from saetm_plugins.evaluation.judge import intruder_questions, parse_choice, parse_rating

TOPICS = [[f"{theme}{letter}" for letter in "abcdefghij"] for theme in ("cat", "tax", "sun")]


def chat_to(server, **settings):
    settings = {"timeout": 10, "max_retries": 0, **settings}
    return OpenAIChat("judge", server.base_url, "no key", **settings)


def shown_words(messages):
    return re.search(r"does not: (.*?)\.\n", messages[1]["content"])[1].split(", ")


def find_intruder(messages):
    """Answer as a good judge: the word whose theme occurs once."""
    words = shown_words(messages)
    themes = [word[:3] for word in words]
    return next(word for word in words if themes.count(word[:3]) == 1)


def good_judge(messages, number):
    if "How coherent" in messages[1]["content"]:
        return Reply("85")
    return Reply(find_intruder(messages))


def test_judged_measures_are_shares_of_right_answers_and_ratings():
    def first_member(messages, number):
        return Reply(next(w for w in shown_words(messages) if w != find_intruder(messages)))

    with serve(good_judge) as server:
        judge = TopicJudge(chat_to(server))
        np.testing.assert_array_equal(judge.intruder_detection(TOPICS), [1, 1, 1])
        np.testing.assert_array_equal(judge.coherence_rating(TOPICS), [85, 85, 85])
        assert len(server.requests) == 3 * 3 + 3
        server.reply = first_member
        np.testing.assert_array_equal(judge.intruder_detection(TOPICS), [0, 0, 0])


def test_questions_show_four_of_the_top_five_and_a_stranger():
    for question in intruder_questions(TOPICS, n_repeats=3, random_state=0):
        own = set(TOPICS[question.topic])
        assert len(question.choices) == 5
        assert len(set(question.choices) & set(TOPICS[question.topic][:5])) == 4
        assert question.key_word not in own
        assert set(question.choices) - own == {question.key_word}


def test_questions_refuse_topics_no_word_can_intrude_on():
    with pytest.raises(ValueError, match=r"topics\[0\] holds the top words of all others"):
        intruder_questions([list("abcde"), list("edcba")], n_repeats=1, random_state=0)


def test_questions_are_asked_at_once_but_no_more_than_allowed():
    def slow(messages, number):
        return good_judge(messages, number)._replace(delay=0.1)

    with serve(slow) as server:
        TopicJudge(chat_to(server, max_workers=3)).intruder_detection(TOPICS)
        assert server.most_under_way == 3


def test_rate_limits_and_server_errors_are_tried_again():
    def moody(messages, number):
        if number in (1, 2, 4):
            return Reply(status=429 if number % 2 else 503, raw='{"error": {"message": "later"}}')
        return good_judge(messages, number)

    with serve(moody) as server:
        judge = TopicJudge(chat_to(server, max_retries=2, max_workers=1))
        np.testing.assert_array_equal(judge.coherence_rating(TOPICS), [85, 85, 85])
        assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("reply", "settings", "message"),
    [
        (Reply(status=429, raw="{}"), {"max_retries": 1}, "gave no answer after 2 tries"),
        (Reply("85", delay=2), {"timeout": 0.2}, r"no answer after 1 tries: .*timed out"),
        (Reply(raw="<html>hello</html>"), {}, "127"),
        (Reply(raw="{}"), {}, "127"),
        (Reply(raw='{"choices": []}'), {}, "127"),
        (Reply(raw="[1, 2]"), {}, "127"),
    ],
)
def test_limits_that_stay_slow_judges_and_garbage_are_errors(reply, settings, message):
    with serve(lambda *_: reply) as server:
        with pytest.raises(JudgeError, match=message):
            TopicJudge(chat_to(server, **settings)).coherence_rating(TOPICS[:1])
        assert len(server.requests) == 1 + settings.get("max_retries", 0)


def test_redirects_are_not_followed():
    with serve(good_judge) as other:
        leading_away = Reply(status=307, raw="", location=f"{other.base_url}/chat/completions")
        with (
            serve(lambda *_: leading_away) as server,
            pytest.raises(JudgeError, match="gave no answer after 1 tries"),
        ):
            TopicJudge(chat_to(server)).coherence_rating(TOPICS[:1])
        assert not other.requests


def test_judge_that_is_down_is_named():
    with serve(good_judge) as server:
        chat = chat_to(server)
    with pytest.raises(JudgeError, match=r"'judge' at http://127\.0\.0\.1.*Connection"):
        TopicJudge(chat).coherence_rating(TOPICS)


def test_prose_is_asked_about_again_and_then_refused():
    with serve(lambda *_: Reply("I would say these are about pets.")) as server:
        with pytest.raises(JudgeError, match=r"no legal answer in 2 attempts.*about pets"):
            TopicJudge(chat_to(server), n_attempts=2).coherence_rating(TOPICS[:1])
        assert "Answer again" in server.requests[1]["messages"][-1]["content"]
        server.reply = lambda messages, _: Reply("Hmm." if len(messages) == 2 else "70")
        assert TopicJudge(chat_to(server)).coherence_rating(TOPICS[:1]) == [70]


def test_answers_are_remembered_between_judges(tmp_path):
    path = tmp_path / "answers.sqlite"
    with serve(good_judge) as server:
        first = TopicJudge(chat_to(server), path).intruder_detection(TOPICS)
        asked = len(server.requests)
        second = TopicJudge(chat_to(server), path).intruder_detection(TOPICS)
        assert len(server.requests) == asked
        np.testing.assert_array_equal(first, second)


def test_interrupted_judgement_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "answers.sqlite"
    broken = True

    def breaks_down(messages, number):
        if broken and number > 4:
            return Reply(status=400, raw='{"error": {"message": "broken"}}')
        return good_judge(messages, number)

    with serve(breaks_down) as server:
        judge = TopicJudge(chat_to(server, max_workers=1), path)
        with pytest.raises(JudgeError):
            judge.intruder_detection(TOPICS)
        asked, broken = len(server.requests), False
        judge.intruder_detection(TOPICS)
        assert len(server.requests) - asked == 9 - 4


def test_other_settings_are_other_questions(tmp_path):
    with serve(good_judge) as server:
        for temperature in (0.0, 0.7):
            chat = chat_to(server, temperature=temperature)
            TopicJudge(chat, tmp_path / "answers").coherence_rating(TOPICS)
        assert len(server.requests) == 6


def test_cost_is_estimated_before_and_nothing_is_asked(tmp_path):
    with serve(good_judge) as server:
        judge = TopicJudge(chat_to(server, prices=(1.0, 2.0)), tmp_path / "answers")
        before = judge.estimate_cost(TOPICS)
        assert not server.requests
        assert before.n_questions == 12
        expected = (before.prompt_tokens + 2 * before.completion_tokens) / 1e6
        assert before.cost == pytest.approx(expected)
        judge.intruder_detection(TOPICS)
        judge.coherence_rating(TOPICS)
        assert judge.estimate_cost(TOPICS) == (0, 0, 0, 0.0)
        assert TopicJudge(chat_to(server)).estimate_cost(TOPICS).cost is None


def test_cache_whose_making_was_cut_short_is_made_anew(tmp_path, monkeypatch):
    path = tmp_path / "answers.sqlite"
    with monkeypatch.context() as patched:
        patched.setattr("saetm_plugins.evaluation.chat.CACHE_VERSION", "no number")
        with pytest.raises(ValueError, match="cache"):
            AnswerCache(path)
    AnswerCache(path).put("question", "answer")
    assert AnswerCache(path).get(["question"]) == {"question": "answer"}


def test_files_that_are_no_cache_of_this_version_are_refused(tmp_path):
    newer, foreign = tmp_path / "newer", tmp_path / "foreign"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    foreign.write_bytes(b"something else entirely, and long enough to be looked at" * 20)
    for path, message in ((newer, "another version"), (foreign, "not a cache of answers")):
        with pytest.raises(ValueError, match=message):
            AnswerCache(path)


def test_one_of_the_words_alone_is_a_legal_answer():
    for text in ("catb", ' "Catb". ', "**catb**", "CATB\n"):
        assert parse_choice(text, ("cata", "catb")) == "catb"
    for text in ("", "cat", "The word is catb", "cata, catb", "catb because"):
        with pytest.raises(ValueError, match="not one of"):
            parse_choice(text, ("cata", "catb"))


def test_a_number_from_0_to_100_alone_is_a_legal_rating():
    for text, number in (("85", "85"), (" 7.5 ", "7.5"), ("100/100", "100")):
        assert parse_rating(text) == number
    for text in ("", "101", "-5", "about 80", "80 because", "eighty", "1e2"):
        with pytest.raises(ValueError, match="not a number from 0 to 100"):
            parse_rating(text)


@pytest.fixture(scope="module")
def tiny_pipeline():
    """A real text-generation pipeline around a tiny, untrained model."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, pipeline

    words = ["[UNK]", "[EOS]", *{word for words in TOPICS for word in words}, "85", "Answer"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="[EOS]", pad_token="[EOS]")
    config = GPT2Config(
        vocab_size=len(words), n_positions=256, n_embd=16, n_layer=1, n_head=2, eos_token_id=1
    )
    return pipeline("text-generation", model=GPT2LMHeadModel(config).eval(), tokenizer=fast)


def test_local_pipeline_answers_and_its_prose_is_refused(tiny_pipeline):
    chat = PipelineChat(tiny_pipeline, max_tokens=8)
    messages = [{"role": "user", "content": "cata catb Answer"}]
    assert chat.answer(messages) == chat.answer(messages)
    with pytest.raises(JudgeError, match="no legal answer"):
        TopicJudge(chat, n_attempts=1).coherence_rating(TOPICS[:1])
