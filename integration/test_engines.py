"""Ray, Dask and Spark, each in local mode on two cores, give the sums of one machine."""

import importlib.util
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.scale import sources

N = 1000
pytestmark = pytest.mark.timeout(900)  # Ray's and Spark's processes start slowly


@pytest.fixture(scope="module", params=["ray", "dask", "dask client", "spark"])
def engine(request):
    name = request.param.partition(" ")[0]
    library = {"spark": "pyspark"}.get(name, name)
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    if name == "ray":
        import ray

        ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": _path()})
        yield name
        ray.shutdown()
    elif name == "spark":
        from pyspark.sql import SparkSession

        os.environ["PYSPARK_PYTHON"] = sys.executable
        settings = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        session = settings.config("spark.driver.memory", "2g").getOrCreate()
        yield name
        session.stop()
    elif request.param == "dask client":
        from distributed import Client

        with Client(n_workers=2, threads_per_worker=1, dashboard_address=None):
            yield name
    else:
        yield name


def _path():
    return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Planted documents in nine files, of which some repeat those of another."""
    rng = np.random.default_rng(0)
    themes = rng.integers(5, size=N)
    directions = np.linalg.qr(rng.normal(size=(24, 5)))[0].T
    embeddings = directions[themes] + 0.1 * rng.normal(size=(N, 24))
    texts = [
        " ".join(f"theme{'abcde'[theme]}word{'abcdefghijkl'[i]}" for i in rng.integers(12, size=12))
        for theme in themes
    ]
    rows = [*range(N), *range(60)]
    folder = tmp_path_factory.mktemp("shards")
    for number, chosen in enumerate(np.array_split(rows, 9)):
        columns = {
            "text": [texts[row] for row in chosen],
            "embedding": list(embeddings[chosen].astype(np.float32)),  # Spark reads no half
        }
        pq.write_table(pa.table(columns), folder / f"{number}.parquet")
    return folder


@pytest.fixture(scope="module")
def sae(shards):
    return train_sae(shards, n_atoms=32, k=4, n_steps=100)


@pytest.fixture(scope="module")
def local(shards, sae, tmp_path_factory):
    """The model of one process, and its folder; with parts of about a file each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "PART", 100)
        run = tmp_path_factory.mktemp("local") / "run"
        yield SAETopicModel(5, sae=sae).fit_shards(shards, run_dir=run, n_workers=1), run


def test_an_engine_gives_the_model_of_one_process(engine, shards, sae, local, tmp_path):
    model = SAETopicModel(5, sae=sae).fit_shards(shards, run_dir=tmp_path / "run", engine=engine)
    np.testing.assert_allclose(model.components_, local[0].components_, atol=1e-5)
    one, two = (pq.read_table(run / "documents") for run in (local[1], tmp_path / "run"))
    assert one.drop_columns("mixture").equals(two.drop_columns("mixture"))
    sums = [each.atoms_.sums for each in (model, local[0])]
    for name, value in sums[0].named():  # added in the same order, so the same bits
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(sums[1], name), err_msg=name)


def test_ray_data_maps_a_model_over_batches(shards, local, engine):
    if engine != "ray":
        pytest.skip("for ray")
    import ray

    found = ray.data.read_parquet(str(shards)).map_batches(local[0].map_batches, batch_size=100)
    check(found.to_pandas(), local)


def test_spark_maps_a_model_over_batches(shards, local, engine):
    if engine != "spark":
        pytest.skip("for spark")
    from pyspark.sql import SparkSession

    frame = SparkSession.builder.getOrCreate().read.parquet(f"file://{shards}")
    found = frame.mapInArrow(local[0].map_in_arrow, "text string, topic int, mixture array<float>")
    check(found.toPandas(), local)


def check(frame, local):
    """Compare texts, topics and mixtures, in any order, with those of the run."""
    written = pq.read_table(local[1] / "documents").to_pandas()
    by_text = frame.drop_duplicates("text").set_index("text")
    texts = [
        text
        for file in sorted(written["shard"].unique())
        for text in pq.read_table(file)["text"].to_pylist()
    ]
    found = by_text.loc[texts]
    assert len(frame) == len(texts) == N + 60
    np.testing.assert_array_equal(found["topic"], written["topic"])
    mixtures = [np.stack(each["mixture"].to_numpy()) for each in (found, written)]
    np.testing.assert_allclose(*mixtures, atol=1e-5)
