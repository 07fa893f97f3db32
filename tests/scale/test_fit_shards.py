"""A fit over shards is the fit in memory: of any split, any kind of shard, after any stop."""

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from saetm_plugins import SAETopicModel
from saetm_plugins.files import write
from saetm_plugins.scale import WordCounts, sources
from saetm_plugins.scale.engines import make_engine
from saetm_plugins.scale.run import Tree

pytestmark = pytest.mark.usefixtures("small_parts")


def fit(source, run_dir, sae, **options):
    return SAETopicModel(5, sae=sae).fit_shards(source, run_dir=run_dir, n_workers=1, **options)


def assert_same(model, other, run_dir):
    assert list(model.vocabulary_) == list(other.vocabulary_)
    np.testing.assert_allclose(model.components_, other.components_, atol=1e-5)
    np.testing.assert_allclose(model.topic_prevalence_, other.topic_prevalence_, atol=1e-5)
    written = pq.read_table(run_dir / "documents")
    mixtures = np.stack(written["mixture"].to_numpy(zero_copy_only=False))
    np.testing.assert_allclose(mixtures, other.doc_topics_, atol=1e-5)
    np.testing.assert_array_equal(written["topic"], other.labels_)
    counts = [each.atoms_.sums.cosine_counts for each in (model, other)]
    assert np.abs(np.subtract(*counts)).sum() <= 4  # next to the edge of a bin
    return written


@pytest.mark.parametrize("kind", ["npy", "parquet", "arrow"])
def test_shards_on_disk(kind, write_shards, in_memory, sae, tmp_path):
    folder = write_shards(tmp_path / "shards", kind)
    model = fit(folder, tmp_path / "run", sae)
    written = assert_same(model, in_memory, tmp_path / "run")
    assert written["row"].to_pylist()[129:132] == [129, 0, 0]
    assert written["shard"].to_pylist()[130] == str(folder / f"shard-1.{kind}")
    loaded = SAETopicModel.load(tmp_path / "run" / "model")
    np.testing.assert_array_equal(loaded.retopic(4).components_, model.retopic(4).components_)


@pytest.mark.parametrize("cuts", [(), (10,), (99, 100, 101, 350, 440)])
def test_any_split(cuts, write_shards, in_memory, sae, tmp_path):
    model = fit(write_shards(tmp_path / "shards", cuts=cuts), tmp_path / "run", sae)
    assert_same(model, in_memory, tmp_path / "run")


def test_batches_that_can_be_read_again(copies, in_memory, sae, tmp_path):
    texts, embeddings = copies
    table = pa.table({"text": texts, "embedding": list(embeddings)})
    dataset = Dataset(table)
    for number, source in enumerate(
        (table.to_batches(30), dataset, dataset.to_iterable_dataset(num_shards=1))
    ):
        model = fit(source, tmp_path / f"run{number}", sae)
        assert_same(model, in_memory, tmp_path / f"run{number}")
    reads = []

    class Batches:
        def __iter__(self):
            yield from table.to_batches(30)
            reads.append(1)

    fit(Batches(), tmp_path / "run3", sae)
    assert len(reads) == 5  # as the documentation says
    with pytest.raises(TypeError, match="source is an iterator"):
        fit(iter(table.to_batches()), tmp_path / "run", sae)


def test_processes_give_the_same_bits(write_shards, sae, tmp_path):
    folder = write_shards(tmp_path / "shards", "npy", dtype=np.float16)
    runs = [tmp_path / "one", tmp_path / "two"]
    for run, n_workers in zip(runs, (1, 2), strict=True):
        SAETopicModel(5, sae=sae).fit_shards(folder, run_dir=run, n_workers=n_workers)
    one, two = ((run / "model" / "model.safetensors").read_bytes() for run in runs)
    assert one == two


@pytest.mark.usefixtures("quick_atoms")
def test_atoms_of_a_sample_are_the_same_for_any_split(write_shards, tmp_path):
    options = {"sae": None, "n_atoms": 32, "k": 4}
    models = [
        SAETopicModel(5, **options).fit_shards(
            write_shards(tmp_path / f"shards{n}", cuts=cuts), run_dir=tmp_path / f"run{n}",
            n_workers=1,
        )
        for n, cuts in enumerate([(200,), (13, 170)])
    ]  # fmt: skip
    assert models[0].sae_.has_weights_of(models[1].sae_)
    np.testing.assert_allclose(models[0].components_, models[1].components_, atol=1e-5)


def test_an_interrupted_run_goes_on_to_the_same_bits(write_shards, sae, tmp_path, monkeypatch):
    """It is stopped before and after every file that it writes."""
    folder = write_shards(tmp_path / "shards")
    fit(folder, tmp_path / "whole", sae)

    class Killed(BaseException):
        pass

    replace, steps = write.os.replace, []

    def stop(source, target):
        steps.append(1)
        if len(steps) % 5 == 1:
            raise Killed
        replace(source, target)
        if len(steps) % 5 == 3:
            raise Killed

    monkeypatch.setattr(write.os, "replace", stop)
    for _ in range(100):
        try:
            fit(folder, tmp_path / "killed", sae)
            break
        except Killed:
            pass
    assert len(steps) > 20
    for file in (tmp_path / "whole").rglob("*"):
        if file.suffix in (".safetensors", ".parquet"):
            same = tmp_path / "killed" / file.relative_to(tmp_path / "whole")
            assert file.read_bytes() == same.read_bytes(), file


def test_another_cut_of_the_same_run(write_shards, sae, tmp_path, monkeypatch):
    folder, run = write_shards(tmp_path / "shards"), tmp_path / "run"
    fit(folder, run, sae)
    monkeypatch.setattr("saetm_plugins.scale.run.sum_part", print)
    model = SAETopicModel(7, sae=sae).fit_shards(folder, run_dir=run, n_workers=1)
    mixtures = pq.read_table(run / "documents")["mixture"]
    assert model.n_topics_ == mixtures.type.list_size == 7
    model.retopic(3).transform_shards(folder, run / "three", n_workers=1)
    found = pq.read_table(run / "three")
    assert set(found["topic"].to_pylist()) == {-1, 0, 1, 2}
    with pytest.raises(ValueError, match="not empty, and holds no topics"):
        model.transform_shards(folder, folder)
    for options in ({"sharpening": 1.0}, {"random_state": 1}, {"language": "german"}):
        with pytest.raises(ValueError, match="holds a run of other"):
            SAETopicModel(5, sae=sae, **options).fit_shards(folder, run_dir=run)
    with pytest.raises(ValueError, match="holds a run of other shards"):
        fit(folder, run, sae, text_column=None)
    with pytest.raises(ValueError, match="not empty, and holds no run"):
        fit(folder, folder, sae)


def test_without_texts(write_shards, copies, sae, tmp_path):
    folder = write_shards(tmp_path / "shards")
    model = fit(folder, tmp_path / "run", sae, text_column=None)
    whole = SAETopicModel(5, sae=sae).fit(None, embeddings=copies[1])
    assert model.components_ is None
    np.testing.assert_allclose(model.topic_prevalence_, whole.topic_prevalence_, atol=1e-5)


def test_vectorizers(write_shards, copies, sae, tmp_path):
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    folder, distinct = write_shards(tmp_path / "shards"), list(dict.fromkeys(copies[0]))
    pairs = CountVectorizer(min_df=20, ngram_range=(1, 2))
    for number, vectorizer in enumerate(
        (pairs, CountVectorizer(vocabulary=["themeaworda", "themebwordb"]))
    ):
        model = SAETopicModel(3, sae=sae, vectorizer=vectorizer)
        model.fit_shards(folder, run_dir=tmp_path / f"run{number}", n_workers=1)
        expected = vectorizer.fit(distinct).get_feature_names_out()
        assert list(model.vocabulary_) == list(expected)
    with pytest.raises(ValueError, match="TfidfVectorizer"):
        SAETopicModel(3, sae=sae, vectorizer=TfidfVectorizer()).fit_shards(
            folder, run_dir=tmp_path / "run"
        )


def other_width(folder):
    np.save(folder / "shard-2.npy", np.ones((169, 23), np.float32))
    return "shard-2.npy' has 23 dimensions, not 24"


def other_dtype(folder):
    np.save(folder / "shard-2.npy", np.ones((169, 24), np.int64))
    return r"shard-2.npy' cannot be read: it holds int64 of shape \(169, 24\)"


def truncated(folder):
    file = folder / "shard-2.npy"
    file.write_bytes(file.read_bytes()[:-1000])
    return "shard-2.npy' cannot be read"


def without_its_texts(folder):
    (folder / "shard-2.texts.json").unlink()
    return r"shard-2.npy' cannot be read: its texts, shard-2.texts.json, are missing"


def other_row_count(folder):
    (folder / "shard-2.texts.json").write_text(json.dumps(["word"] * 170))
    return "shard-2.npy' has 170 texts for 169 rows"


def not_a_number(folder):
    rows = np.load(folder / "shard-2.npy")
    rows[120, 3] = np.nan
    np.save(folder / "shard-2.npy", rows)
    return "shard-2.npy' holds NaN or infinity in row 120"


def missing_text(folder):
    (folder / "shard-2.texts.json").write_text(json.dumps(["word"] * 168 + [None]))
    return "shard-2.npy', text in row 168, must be a string; found None"


@pytest.mark.parametrize(
    "damage",
    [other_width, other_dtype, truncated, without_its_texts, other_row_count, not_a_number,
     missing_text],
)  # fmt: skip
def test_damaged_shards_are_named_before_the_work(damage, write_shards, sae, tmp_path):
    folder = write_shards(tmp_path / "shards", "npy")
    message = damage(folder)
    with pytest.raises((ValueError, TypeError), match=message):
        fit(folder, tmp_path / "run", sae)
    assert not (tmp_path / "run" / "words").exists()


def test_shards_of_other_columns(write_shards, sae, tmp_path):
    folder = write_shards(tmp_path / "shards")
    with pytest.raises(ValueError, match="no column 'body' of texts among text, embedding"):
        fit(folder, tmp_path / "run", sae, text_column="body")
    pq.write_table(pa.table({"text": ["word"]}), folder / "shard-9.parquet")
    with pytest.raises(ValueError, match=r"shard-9\.parquet' cannot be read: no column of lists"):
        fit(folder, tmp_path / "run", sae)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        fit(tmp_path / "nowhere", tmp_path / "run", sae)
    with pytest.raises(ValueError, match="engine must be one of local, ray, dask, spark"):
        fit(folder, tmp_path / "run", sae, engine="slurm")


def test_empty_shards_are_left_out_with_a_warning(write_shards, in_memory, sae, tmp_path):
    folder = write_shards(tmp_path / "shards")
    schema = pq.read_schema(folder / "shard-0.parquet")
    pq.write_table(schema.empty_table(), folder / "shard-9.parquet")
    with pytest.warns(UserWarning, match="shards without rows are left out: .*shard-9"):
        model = fit(folder, tmp_path / "run", sae)
    assert_same(model, in_memory, tmp_path / "run")


@pytest.mark.parametrize("done", ["look", "words", "sums"])
def test_a_shard_that_changes_between_passes(done, write_shards, sae, tmp_path, monkeypatch):
    folder = write_shards(tmp_path / "shards", "npy")

    class Killed(BaseException):
        pass

    from saetm_plugins.scale import run as module

    names = {"look": "sample", "words": "add_up", "sums": "assign"}
    with monkeypatch.context() as patch:

        def stop(self, name, *_, **__):
            if done == "words" and name == "words":
                return real(self, name, *_, **__)
            raise Killed

        real = getattr(module.Run, names[done])
        patch.setattr(module.Run, names[done], stop if done != "look" else lambda self: stop(0, 0))
        with pytest.raises(Killed):
            fit(folder, tmp_path / "run", sae)
    rows = np.load(folder / "shard-2.npy")
    np.save(folder / "shard-2.npy", rows[::-1])
    with pytest.raises(ValueError, match=r"shard-\d.npy', or one after it, has changed"):
        fit(folder, tmp_path / "run", sae)


def test_a_part_that_a_worker_of_a_killed_run_writes_late(tmp_path):
    one = WordCounts.of(["word"])
    tree = Tree(tmp_path, 5, WordCounts)
    for number in (3, 0, 4, 1, 2):
        one.save(tree.file(0, number))
        tree.climb(0, number)
    one.save(tree.file(0, 2))
    assert tree.root().n_documents == 5
    again = Tree(tmp_path, 5, WordCounts)
    assert again.done == set(range(5))
    assert [file.name for file in tmp_path.iterdir()] == ["3-0.safetensors"]


def test_a_worker_that_is_killed_is_an_error():
    with pytest.raises(RuntimeError, match="fewer n_workers"):
        list(make_engine("local", 2).map(os._exit, [1]))
    with pytest.raises(ValueError, match="n_workers is for engine='local'"):
        make_engine("dask", 2)


def test_memory_of_a_part_is_that_of_a_block(write_shards, sae, tmp_path, monkeypatch):
    """A file of one row group is read in blocks."""
    folder = write_shards(tmp_path / "shards", cuts=())
    shutil.move(folder / "shard-0.parquet", folder / "old.parquet")
    table = pq.read_table(folder / "old.parquet")
    (folder / "old.parquet").unlink()
    pq.write_table(table, folder / "shard.parquet", row_group_size=10_000)
    monkeypatch.setattr(sources, "_READ", 50)
    (part,) = sources.Source(folder)
    assert [len(block.texts) for block in part.read(True, True, {})] == [100] * 4 + [42]
