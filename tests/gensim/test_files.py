"""SaeModel on disk."""

import json
import pickle

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import LdaModel
from gensim.utils import FakeDict
from sklearn.exceptions import NotFittedError

from saetm_plugins import SAETopicModel
from saetm_plugins.files.folders import write_checksums
from saetm_plugins.gensim import SaeModel

N_TOPICS = 5


@pytest.fixture
def saved(model, tmp_path):
    model.save(tmp_path / "deep" / "model.gensim")
    return tmp_path / "deep" / "model.gensim"


def test_a_loaded_model_is_the_saved_one(model, saved, bags, corpus):
    loaded = SaeModel.load(str(saved), mmap="r")
    np.testing.assert_array_equal(loaded.get_topics(), model.get_topics())
    np.testing.assert_array_equal(loaded.expElogbeta, model.expElogbeta)
    np.testing.assert_array_equal(loaded.inference(bags)[0], model.inference(bags)[0])
    assert loaded[bags[0]] == model[bags[0]]
    assert loaded.log_perplexity(bags) == model.log_perplexity(bags)
    assert loaded.num_updates == loaded.state.numdocs == 400
    assert str(loaded) == str(model)
    assert [event["event"] for event in loaded.lifecycle_events] == ["created", "saving", "loaded"]
    plain = SAETopicModel.load(saved / "model")
    expected = model.estimator.transform(None, corpus.embeddings)
    np.testing.assert_array_equal(plain.transform(None, corpus.embeddings), expected)


def test_later_changes_of_the_dictionary_change_no_words(corpus, bags, given, tmp_path):
    own = Dictionary(text.split() for text in corpus.documents)
    model = SaeModel(bags, N_TOPICS, own, **given)
    before = model.show_topics(formatted=False)
    own.doc2bow(["words", "of", "later"], allow_update=True)
    own.filter_extremes(no_below=30, keep_n=20)  # gives ids to other words
    assert model.show_topics(formatted=False) == before
    model.save(tmp_path / "model.gensim")
    loaded = SaeModel.load(tmp_path / "model.gensim")
    assert loaded.show_topics(formatted=False) == before
    loaded.id2word = Dictionary([*([word] for word in model.id2word.values()), ["later"]])
    loaded.save(tmp_path / "model.gensim")
    SaeModel.load(tmp_path / "model.gensim")


def test_dictionaries_of_each_kind_are_saved_in_full(saved, bags, given, dictionary, tmp_path):
    loaded = SaeModel.load(saved).id2word
    assert isinstance(loaded, Dictionary)
    for name in ("token2id", "dfs", "cfs", "num_docs", "num_pos", "num_nnz"):
        assert getattr(loaded, name) == getattr(dictionary, name)
    gapped = {2 * i: word for i, word in dictionary.items()}
    moved = [[(2 * i, count) for i, count in bag] for bag in bags]
    SaeModel(moved, N_TOPICS, gapped, **given).save(tmp_path / "dict")
    assert SaeModel.load(tmp_path / "dict").id2word == gapped
    SaeModel(bags, N_TOPICS, **given).save(tmp_path / "none")
    loaded = SaeModel.load(tmp_path / "none")
    assert isinstance(loaded.id2word, FakeDict)
    assert len(loaded.id2word) == loaded.num_terms


@pytest.mark.parametrize("ignore", ["id2word", ["id2word", "state"]])
def test_the_dictionary_may_be_left_out(model, bags, tmp_path, ignore):
    model.save(tmp_path / "m", ignore=ignore, separately=["alpha"], sep_limit=0)
    loaded = SaeModel.load(tmp_path / "m")
    assert loaded.id2word is None
    np.testing.assert_array_equal(loaded.inference(bags)[0], model.inference(bags)[0])
    loaded.id2word = model.id2word
    assert loaded.show_topics() == model.show_topics()


def test_priors_given_as_arrays_are_kept(model, tmp_path):
    eta = np.full((N_TOPICS, model.num_terms), 0.4)
    mine = SaeModel.from_model(model.estimator, model.id2word, alpha=[1, 2, 3, 4, 5], eta=eta)
    mine.save(tmp_path / "m")
    loaded = SaeModel.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.alpha, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(loaded.state.get_lambda(), mine.state.get_lambda())


def test_update_and_retopic_go_on_after_load(model, saved, bags, corpus):
    loaded = SaeModel.load(saved)
    for each in (loaded, model):
        each.update(bags[:100], embeddings=corpus.embeddings[:100])
        each.update(bags[100:200])
        each.retopic(4)
    assert loaded.state.numdocs == 600
    np.testing.assert_allclose(loaded.get_topics(), model.get_topics(), rtol=1e-4, atol=1e-7)


def test_saving_replaces_a_model_and_nothing_else(model, saved, tmp_path):
    smaller = SaeModel.from_model(model.estimator, model.id2word).retopic(3)
    smaller.save(saved)
    assert SaeModel.load(saved).num_topics == 3
    (tmp_path / "thesis.txt").write_text("years of work")
    before = len(model.lifecycle_events)
    for path in (tmp_path / "thesis.txt", tmp_path):
        with pytest.raises(FileExistsError):
            model.save(path)
    for path, message in ((3, "fname"), ("", "fname is empty"), ("s3://bucket/m", "is a URL")):
        with pytest.raises((ValueError, TypeError), match=message):
            model.save(path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert len(model.lifecycle_events) == before


def test_nothing_on_disk_is_a_pickle(saved):
    files = [file for file in saved.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".md"}
    for file in files:
        with pytest.raises(Exception):  # noqa: B017, PT011
            pickle.loads(file.read_bytes())


def test_files_of_other_classes_are_refused(model, bags, dictionary, tmp_path):
    LdaModel(bags[:50], 2, dictionary).save(str(tmp_path / "lda"))
    model.estimator.save(tmp_path / "estimator")
    for path, error, message in (
        (tmp_path / "lda", ValueError, "is one file"),
        (tmp_path / "estimator", ValueError, "gensim-topic-model"),
        (tmp_path / "nowhere", FileNotFoundError, "nowhere"),
        ("s3://bucket/model", ValueError, "is a URL"),
    ):
        with pytest.raises(error, match=message):
            SaeModel.load(path)
    with pytest.raises(NotFittedError):
        SaeModel(num_topics=2, id2word=dictionary).save(tmp_path / "untrained")
    assert not (tmp_path / "untrained").exists()


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "id2word.json", "model/model.safetensors"]
)
def test_truncated_and_missing_files_are_named(saved, name):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="truncated"):
        SaeModel.load(saved)
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError):
        SaeModel.load(saved)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("config.json", {"priors": {"alpha": "auto"}}, "damaged"),
        ("config.json", {"version": 99}, "newer version"),
        ("id2word.json", {"type": "code"}, "unknown type 'code'"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(saved, name, change, message):
    content = json.loads((saved / name).read_text())
    (saved / name).write_text(json.dumps({**content, **change}))
    write_checksums(saved)
    with pytest.raises(ValueError, match=message):
        SaeModel.load(saved)


def test_a_folder_whose_name_is_not_unicode(model, tmp_path):
    path = tmp_path / "model\udc80"
    try:
        path.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("no file system for such names")
    path.rmdir()
    model.save(path)
    SaeModel.load(path).save(tmp_path / "again")
    assert str(SaeModel.load(tmp_path / "again")) == str(model)
