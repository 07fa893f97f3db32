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


@pytest.fixture(scope="module")
def dictionary(corpus):
    return Dictionary(text.split() for text in corpus.documents)


@pytest.fixture(scope="module")
def bags(corpus, dictionary):
    return [dictionary.doc2bow(text.split()) for text in corpus.documents]


@pytest.fixture(scope="module")
def model(corpus, bags, dictionary):
    return SaeModel(
        bags, N_TOPICS, dictionary, embeddings=corpus.embeddings, minimum_probability=0.05
    )


@pytest.fixture
def saved(model, tmp_path):
    model.save(tmp_path / "deep" / "model.gensim")
    return tmp_path / "deep" / "model.gensim"


def test_a_loaded_model_is_the_saved_one(model, saved, bags):
    loaded = SaeModel.load(str(saved), mmap="r")
    np.testing.assert_array_equal(loaded.get_topics(), model.get_topics())
    np.testing.assert_array_equal(loaded.expElogbeta, model.expElogbeta)
    np.testing.assert_array_equal(loaded.inference(bags)[0], model.inference(bags)[0])
    assert loaded[bags[0]] == model[bags[0]]
    assert loaded.log_perplexity(bags) == model.log_perplexity(bags)
    assert loaded.num_updates == loaded.state.numdocs == 400
    assert str(loaded) == str(model)
    assert [event["event"] for event in loaded.lifecycle_events] == ["created", "saving", "loaded"]


def test_words_are_those_learned_whatever_becomes_of_the_dictionary(corpus, bags, tmp_path):
    own = Dictionary(text.split() for text in corpus.documents)
    model = SaeModel(bags, N_TOPICS, own, embeddings=corpus.embeddings, sae="auto")
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


def test_a_url_is_refused(model):
    for act in (model.save, SaeModel.load):
        with pytest.raises(ValueError, match="fname 's3://bucket/model' is a URL"):
            act("s3://bucket/model")


def test_the_dictionary_comes_back_whole(model, saved, dictionary):
    loaded = SaeModel.load(saved).id2word
    assert isinstance(loaded, Dictionary)
    for name in ("token2id", "dfs", "cfs", "num_docs", "num_pos", "num_nnz"):
        assert getattr(loaded, name) == getattr(dictionary, name)
    assert loaded.doc2bow(["commona", "nonsense"]) == dictionary.doc2bow(["commona", "nonsense"])


def test_plain_and_missing_dictionaries_come_back_too(model, corpus, bags, dictionary, tmp_path):
    beside = {"embeddings": corpus.embeddings, "sae": model.estimator.sae_}
    gapped = {2 * i: word for i, word in dictionary.items()}
    moved = [[(2 * i, count) for i, count in bag] for bag in bags]
    SaeModel(moved, N_TOPICS, gapped, **beside).save(tmp_path / "dict")
    assert SaeModel.load(tmp_path / "dict").id2word == gapped
    SaeModel(bags, N_TOPICS, **beside).save(tmp_path / "none")
    loaded = SaeModel.load(tmp_path / "none")
    assert isinstance(loaded.id2word, FakeDict)
    assert len(loaded.id2word) == loaded.num_terms


@pytest.mark.parametrize("ignore", ["id2word", ["id2word", "state"], ("id2word", None)])
def test_the_dictionary_may_be_left_out(model, bags, tmp_path, ignore):
    model.save(tmp_path / "m", ignore=ignore, separately=["alpha"], sep_limit=0)
    loaded = SaeModel.load(tmp_path / "m")
    assert loaded.id2word is None
    np.testing.assert_array_equal(loaded.inference(bags)[0], model.inference(bags)[0])
    loaded.id2word = model.id2word
    assert loaded.show_topics() == model.show_topics()


def test_priors_given_as_arrays_are_kept(model, bags, tmp_path):
    eta = np.full((N_TOPICS, model.num_terms), 0.4)
    mine = SaeModel.from_model(model.estimator, model.id2word, alpha=[1, 2, 3, 4, 5], eta=eta)
    mine.save(tmp_path / "m")
    loaded = SaeModel.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.alpha, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(loaded.state.get_lambda(), mine.state.get_lambda())


def test_update_and_retopic_go_on_after_load(model, saved, bags, corpus):
    loaded, twin = SaeModel.load(saved), SaeModel.load(saved)
    for each in (loaded, twin):
        each.update(bags[:100], embeddings=corpus.embeddings[:100])
        each.update(bags[100:200])
        each.retopic(4)
    assert loaded.state.numdocs == 600
    np.testing.assert_array_equal(loaded.get_topics(), twin.get_topics())
    original = SaeModel.from_model(model.estimator, model.id2word)
    original.update(bags[:100], embeddings=corpus.embeddings[:100])
    original.update(bags[100:200])
    original.retopic(4)
    np.testing.assert_allclose(loaded.get_topics(), original.get_topics(), rtol=1e-4, atol=1e-7)


def test_saving_again_replaces_the_model(model, saved):
    smaller = SaeModel.from_model(model.estimator, model.id2word).retopic(3)
    smaller.save(saved)
    assert SaeModel.load(saved).num_topics == 3


def test_nothing_on_disk_is_a_pickle(saved):
    files = [file for file in saved.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".md"}
    for file in files:
        with pytest.raises(Exception):  # noqa: B017, PT011
            pickle.loads(file.read_bytes())


def test_the_model_inside_loads_without_gensim(model, saved, corpus):
    estimator = SAETopicModel.load(saved / "model")
    expected = model.estimator.transform(None, corpus.embeddings)
    np.testing.assert_array_equal(estimator.transform(None, corpus.embeddings), expected)


def test_what_is_not_a_saved_model_is_not_replaced(model, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"thesis\.txt"):
        model.save(tmp_path / "thesis.txt")
    with pytest.raises(FileExistsError):
        model.save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_files_of_other_classes_are_refused(model, bags, dictionary, tmp_path):
    LdaModel(bags[:50], 2, dictionary).save(str(tmp_path / "lda"))
    with pytest.raises(ValueError, match="is one file"):
        SaeModel.load(tmp_path / "lda")
    model.estimator.save(tmp_path / "estimator")
    with pytest.raises(ValueError, match="gensim-topic-model"):
        SaeModel.load(tmp_path / "estimator")
    with pytest.raises(FileNotFoundError):
        SaeModel.load(tmp_path / "nowhere")
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


def test_parts_that_do_not_fit_each_other_are_refused(saved):
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**config, "priors": {"alpha": "auto"}}))
    write_checksums(saved)
    with pytest.raises(ValueError, match="damaged"):
        SaeModel.load(saved)
    (saved / "config.json").write_text(json.dumps({**config, "version": 99}))
    write_checksums(saved)
    with pytest.raises(ValueError, match="newer version"):
        SaeModel.load(saved)
    (saved / "config.json").write_text(json.dumps(config))
    write_checksums(saved)
    words = json.loads((saved / "id2word.json").read_text())
    (saved / "id2word.json").write_text(json.dumps({**words, "type": "code"}))
    write_checksums(saved)
    with pytest.raises(ValueError, match="unknown type 'code'"):
        SaeModel.load(saved)


def test_a_save_that_fails_is_not_remembered(model, tmp_path):
    (tmp_path / "file").write_text("something else")
    before = [event["event"] for event in model.lifecycle_events]
    for wrong in (tmp_path / "file", 3, ""):
        with pytest.raises((ValueError, TypeError, OSError), match=r"fname|file"):
            model.save(wrong)
    assert [event["event"] for event in model.lifecycle_events] == before


def test_a_folder_called_by_bytes_that_are_no_text(model, tmp_path):
    path = tmp_path / "model\udc80"
    try:
        path.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("no file system for such names")
    path.rmdir()
    model.save(path)
    SaeModel.load(path).save(tmp_path / "again")
    assert str(SaeModel.load(tmp_path / "again")) == str(model)
