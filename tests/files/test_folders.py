import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins.files.folders import load_folder, pack_csr, save_folder, unpack_csr


@pytest.fixture
def folder(tmp_path):
    return save_folder(tmp_path / "saved", "thing", {"a": 1}, {"x": np.arange(3.0)})


def test_a_folder_comes_back_as_it_went(folder):
    config, tensors = load_folder(folder, "thing")
    assert config == {"a": 1}
    np.testing.assert_array_equal(tensors["x"], np.arange(3.0))


def test_an_existing_path_is_kept_unless_overwriting(folder):
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save_folder(folder, "thing", {}, {})
    save_folder(folder, "thing", {"a": 2}, {}, overwrite=True)
    assert load_folder(folder, "thing")[0] == {"a": 2}


def test_overwriting_spares_what_is_not_ours(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="not a saved thing"):
        save_folder(tmp_path / "precious", "thing", {}, {}, overwrite=True)
    assert (tmp_path / "precious" / "letter.txt").read_text() == "dear"


def test_a_failed_save_leaves_the_old_folder_and_no_debris(folder):
    def fail(_):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_folder(folder, "thing", {"a": 2}, {}, overwrite=True, write_more=fail)
    assert load_folder(folder, "thing")[0] == {"a": 1}
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_truncated_file_is_named(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-5])
    with pytest.raises(ValueError, match=rf"{name}' is truncated"):
        load_folder(folder, "thing")


def test_a_foreign_folder_is_refused(folder):
    (folder / "config.json").write_text(json.dumps({"kind": "other"}))
    with pytest.raises(ValueError, match="kind: 'other'"):
        load_folder(folder, "thing")


def test_a_missing_folder_or_file_is_named(folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_folder(folder.parent / "nowhere", "thing")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        load_folder(folder, "thing")


def test_sparse_matrices_survive_and_parts_that_do_not_fit_are_refused():
    matrix = sp.random(5, 7, density=0.3, format="csr", random_state=0, dtype=np.float32)
    parts = pack_csr("m", matrix)
    back = unpack_csr("m", parts)
    assert (back != matrix).nnz == 0
    assert back.dtype == np.float32
    with pytest.raises(ValueError, match="indices"):
        unpack_csr("m", parts | {"m.indices": parts["m.indices"] + 5})


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (None, TypeError, "path must be a string or a path; found None"),
        ("", ValueError, "path is empty"),
        ("s3://bucket/model", ValueError, "is a URL; it must be a local path"),
        (Path("gs://bucket/model"), ValueError, "is a URL; it must be a local path"),
    ],
)
def test_what_is_no_local_path_is_refused(path, error, message):
    for act in (lambda: save_folder(path, "thing", {}, {}), lambda: load_folder(path, "thing")):
        with pytest.raises(error, match=message):
            act()
