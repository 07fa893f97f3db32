"""A saved model served by NumPy alone: the estimator's mixtures without its imports."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.serving import load


@pytest.mark.parametrize("activation", ["batch_topk", "topk", "l1", "jumprelu"])
def test_mixtures_are_the_estimators(corpus, tmp_path, activation):
    sae = train_sae(corpus.embeddings, n_atoms=40, activation=activation, n_steps=60)
    model = SAETopicModel(6, sae=sae, word_vectors="corpus")
    model.fit(corpus.documents, embeddings=corpus.embeddings)
    model.delete_topics([2]).set_topic_labels({0: "first"}).save(tmp_path / "model")
    served = load(tmp_path / "model")
    assert served.labels == model.topic_labels_
    new = np.concatenate(
        [corpus.embeddings[:50] + 0.1, [sae.mean_], np.zeros_like(sae.mean_)[None]]
    )
    expected = model.transform(embeddings=new)
    np.testing.assert_allclose(served.transform(new), expected, atol=1e-5)
    for row in (0, 7, -2, -1):  # few rows are multiplied otherwise
        np.testing.assert_allclose(served.transform(new[[row]]), expected[[row]], atol=1e-5)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(served.transform, [new] * 8):
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_nothing_heavy_is_imported(fitted, corpus, tmp_path):
    fitted.save(tmp_path / "model")
    np.save(tmp_path / "rows.npy", corpus.embeddings[:3])
    code = (
        "import sys, numpy as np; from saetm_plugins.serving import load;"
        f"load(r'{tmp_path}/model').transform(np.load(r'{tmp_path}/rows.npy'));"
        "print([name for name in ('torch', 'numba', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_is_no_model_and_wrong_rows_are_refused(fitted, tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    fitted.save(tmp_path / "model")
    with pytest.raises(ValueError, match="no topic-model"):
        load(tmp_path / "model" / "sae")
    served = load(tmp_path / "model")
    with pytest.raises(ValueError, match=r"embeddings must have shape \(n, "):
        served.transform(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        served.transform(np.full((1, fitted.sae_.n_features), np.nan))
    damaged = tmp_path / "model" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(ValueError, match="truncated or damaged"):
        load(tmp_path / "model")
