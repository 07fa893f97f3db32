import ast
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

import saetm_plugins
from saetm_plugins import SAETopicModel, SparseAutoencoder, cli, train_sae
from saetm_plugins.cli.console import print_topics
from saetm_plugins.corpus import load_encoder


@pytest.fixture
def run():
    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], stdin)

    return invoke


@pytest.fixture
def main(monkeypatch, capfd):
    """Run the command as a shell does; what it returns, and prints to stdout and stderr."""

    def invoke(*arguments):
        monkeypatch.setattr("sys.argv", ["saetm", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capfd.readouterr()

    return invoke


@pytest.fixture(scope="module")
def sources(corpus, tmp_path_factory):
    """The corpus in every format, and its embeddings."""
    folder = tmp_path_factory.mktemp("sources")
    ids = [f"{number:03d}" for number in range(len(corpus.documents))]
    frame = pd.DataFrame({"text": corpus.documents, "year": 2020, "key": ids})
    frame.to_csv(folder / "docs.csv", index=False)
    frame.to_csv(folder / "semicolons.csv", index=False, sep=";", encoding="utf-16")
    frame.to_csv(folder / "docs.tsv", index=False, sep="\t")
    frame.to_excel(folder / "docs.xlsx", index=False)
    frame.to_json(folder / "docs.json", orient="records")
    frame.to_json(folder / "docs.jsonl", orient="records", lines=True)
    frame.to_parquet(folder / "docs.parquet")
    (folder / "folder").mkdir()
    for key, text in zip(ids, corpus.documents, strict=True):
        (folder / "folder" / f"{key}.txt").write_text(text)
    np.save(folder / "embeddings.npy", corpus.embeddings)
    return folder


@pytest.fixture
def files(sources, tmp_path):
    return shutil.copytree(sources, tmp_path, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def saved_model(corpus, tmp_path_factory):
    model = SAETopicModel(n_topics=5, n_atoms=12, k=2).fit(
        corpus.documents, embeddings=corpus.embeddings
    )
    model.set_topic_labels({0: "first [/x] topic"})
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.save(folder)
    return folder


FILES = ["docs.csv", "semicolons.csv", "docs.tsv", "docs.xlsx", "docs.json", "docs.jsonl"]
FILES += ["docs.parquet", "folder"]


@pytest.mark.parametrize("name", FILES)
def test_fit_topics_retopic(files, run, name):
    embeddings = files / "embeddings.npy"
    fitted = run(
        "fit", files / name, "--embeddings", embeddings, "--n-topics", 5, "--out", files / "model"
    )
    assert fitted.exit_code == 0, fitted.output
    assert SAETopicModel.load(files / "model").n_topics_ == 5
    shown = run("topics", files / "model")
    assert shown.exit_code == 0
    assert "5 topics of 400 documents" in shown.output
    recut = run("retopic", files / "model", "--n-topics", 8, "--out", files / "model-8")
    assert recut.exit_code == 0
    assert SAETopicModel.load(files / "model-8").n_topics_ == 8
    assert SAETopicModel.load(files / "model").n_topics_ == 5


def test_an_existing_folder_is_refused_before_the_work(files, run):
    (files / "model").mkdir()
    result = run("fit", files / "docs.csv", "--out", files / "model")
    assert result.exit_code == 2
    assert "exists" in result.output


def test_standard_input_is_read(files, run):
    arguments = ["fit", "-", "--embeddings", files / "embeddings.npy", "--n-topics", 5]
    content = (files / "docs.csv").read_bytes()
    result = run(*arguments, "--out", files / "model", stdin=content)
    assert result.exit_code == 0, result.output
    run(*arguments[:1], files / "docs.csv", *arguments[2:], "--out", files / "same")
    piped, read = (SAETopicModel.load(files / name) for name in ("model", "same"))
    np.testing.assert_array_equal(piped.components_, read.components_)


def test_a_model_has_its_tables_beside_it_and_both_are_replaced(files, run):
    arguments = ["fit", files / "docs.csv", "--embeddings", files / "embeddings.npy"]
    arguments += ["--id-column", "key", "--out", files / "model"]
    assert run(*arguments, "--n-topics", 5).exit_code == 0
    assert run(*arguments, "--n-topics", 4, "--overwrite").exit_code == 0
    recut = ["retopic", files / "model", "--n-topics", 3, "--out", files / "model-3"]
    assert run(*recut).exit_code == 0
    for folder, n_topics in (("model", 4), ("model-3", 3)):
        model = SAETopicModel.load(files / folder)
        topics = pd.read_csv(files / folder / "topics.csv")
        assert len(topics) == model.n_topics_ == n_topics
        documents = pd.read_csv(files / folder / "documents.csv", dtype={"id": str})
        assert documents["id"].tolist() == [f"{number:03d}" for number in range(400)]
        assert documents["topic"].tolist() == model.labels_.tolist()
        assert np.bincount(documents["topic"]).tolist() == topics["documents"].tolist()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx", ".parquet", ".jsonl"])
def test_assign_writes_a_row_a_text(files, run, saved_model, corpus, suffix):
    out = files / f"topics{suffix}"
    arguments = ["assign", saved_model, files / "docs.csv", "--id-column", "key", "--out", out]
    result = run(*arguments, "--embeddings", files / "embeddings.npy")
    assert result.exit_code == 0, result.output
    readers = {
        ".csv": lambda file: pd.read_csv(file, dtype={"id": str}),
        ".tsv": lambda file: pd.read_csv(file, dtype={"id": str}, sep="\t"),
        ".xlsx": lambda file: pd.read_excel(file, dtype={"id": str}),
        ".parquet": pd.read_parquet,
        ".jsonl": lambda file: pd.read_json(file, lines=True, dtype={"id": str}),
    }
    table = readers[suffix](out)
    mixtures = SAETopicModel.load(saved_model).transform(None, corpus.embeddings)
    assert [str(key) for key in table["id"]][:3] == ["000", "001", "002"]
    assert table["topic"].tolist() == mixtures.argmax(axis=1).tolist()
    np.testing.assert_allclose(table["share"], mixtures.max(axis=1), atol=1e-6)
    assert "first [/x] topic" in set(table["name"])
    second = np.sort(mixtures, axis=1)[:, -2]
    np.testing.assert_allclose(table["share_2"].astype(float).fillna(0), second, atol=1e-6)


def test_assign_to_one_text_and_to_a_folder(files, run, saved_model, corpus):
    np.save(files / "one.npy", corpus.embeddings[:1])
    (files / "one.csv").write_text("text\nNA\n")
    arguments = ["assign", saved_model, files / "one.csv", "--out", files / "one-topic.csv"]
    result = run(*arguments, "--embeddings", files / "one.npy")
    assert result.exit_code == 0, result.output
    assert pd.read_csv(files / "one-topic.csv")["id"].tolist() == [0]
    arguments = ["assign", saved_model, files / "folder", "--out", files / "all.csv"]
    assert run(*arguments, "--embeddings", files / "embeddings.npy").exit_code == 0
    assert pd.read_csv(files / "all.csv")["id"].tolist()[:2] == ["000.txt", "001.txt"]


def test_fit_refuses_one_text(files, main):
    (files / "one.csv").write_text("text\nonly one\n")
    np.save(files / "one.npy", np.ones((1, 8)))
    code, _, err = main(
        *["fit", files / "one.csv", "--embeddings", files / "one.npy", "--out", files / "model"]
    )
    assert code == 1
    assert "documents must hold at least" in err


CELLS = ["007", "1e5", "NA", "None", "nan", "", "true"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_fit_and_embed_read_cells_alike(tmp_path, run, name):
    texts = CELLS + [f"The {animal} eats {food}." for animal in ANIMALS for food in FOODS]
    frame = pd.DataFrame({"text": texts})
    if name == "a.csv":
        frame.to_csv(tmp_path / name, index=False)
    elif name == "a.jsonl":
        rows = [{"text": text or None} for text in texts]  # an empty text as null
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    else:
        frame.replace("", None).to_parquet(tmp_path / name)
    for command, options in (("fit", ["--n-topics", 5]), ("embed", [])):
        result = run(command, tmp_path / name, "--out", tmp_path / command, *options)
        assert result.exit_code == 0, (result.output, result.exception)
    shard = np.load(tmp_path / "embed" / "shard-00000.npy").astype(np.float32)
    expected = load_encoder().encode(texts)
    np.testing.assert_allclose(shard, expected, atol=2e-3)
    model = SAETopicModel.load(tmp_path / "fit")
    by_fit, by_embed = model.doc_atoms_.toarray(), model.transform_atoms(None, expected).toarray()
    by_embed[CELLS.index("")] = 0  # nothing is known of a blank text
    np.testing.assert_allclose(by_fit, by_embed, atol=0.01)


ANIMALS = ["cat", "dog", "horse", "mouse", "lion", "whale", "sheep", "eagle"]
FOODS = ["meat", "grass", "bread", "fish", "apples", "seeds"]


@pytest.mark.parametrize("command", ["fit", "embed", "assign"])
def test_errors_name_the_option(files, main, saved_model, command):
    arguments = [command, *([saved_model] if command == "assign" else []), files / "docs.csv"]
    arguments += ["--out", files / "out.csv"]
    code, _, err = main(*arguments, "--text-column", "body")
    assert code == 1
    assert re.search(r"error: --text-column 'body' is not in .*; it has text, year, key\n", err)
    if command != "embed":
        _, _, err = main(*arguments, "--id-column", "name")
        assert "error: --id-column 'name' is not in " in err
    assert "error: --sep must be one character" in main(*arguments, "--sep", "::")[2]
    assert "error: --encoding 'utf-9' is not known" in main(*arguments, "--encoding", "utf-9")[2]
    assert not (files / "out.csv").exists()


def test_embeddings_that_do_not_fit_are_named(files, main, saved_model):
    np.save(files / "few.npy", np.ones((3, 8)))
    arguments = ["assign", saved_model, files / "docs.csv", "--out", files / "out.csv"]
    _, _, err = main(*arguments, "--embeddings", files / "few.npy")
    assert "error: --embeddings has 3 rows for 400 documents" in err
    _, _, err = main(*arguments, "--embeddings", files / "docs.csv")
    assert re.search(r"error: --embeddings '.*docs\.csv' is not a \.npy file", err)


def test_outputs_that_cannot_be_written_are_refused_before_reading(files, run, main, saved_model):
    nowhere = files / "nowhere.csv"
    _, _, err = main("assign", saved_model, nowhere, "--out", files / "topics.doc")
    assert re.search(r"error: --out must end in one of \.csv, .*topics\.doc'\n", err)
    refused = run("assign", saved_model, nowhere, "--out", files / "docs.csv")
    assert "pass --overwrite" in " ".join(refused.output.split())
    for command, kind in (("fit", "topic-model"), ("train-sae", "sparse-autoencoder")):
        refused = run(command, nowhere, "--out", files / "folder", "--overwrite")
        assert refused.exit_code == 2
        assert f"is not a saved {kind}" in " ".join(re.sub("[│\n]", " ", refused.output).split())
        refused = run(command, nowhere, "--out", files / "docs.csv" / "model")
        assert refused.exit_code == 2
        assert "is a file" in " ".join(re.sub("[│\n]", " ", refused.output).split())
    assert (files / "folder" / "000.txt").exists()


def test_brackets_are_printed_as_they_are(main, tmp_path):
    code, out, err = main("topics", tmp_path / "a[/x]" / "b[encoder]c")
    assert code == 1
    assert err.count("\n") == 1
    assert f"{tmp_path / 'a[/x]' / 'b[encoder]c'}" in err
    assert out == ""


def test_a_missing_extra_is_named_whole(files):
    code = "import sys; sys.modules['sentence_transformers'] = None; "
    code += "from saetm_plugins.cli import main; main()"
    arguments = [sys.executable, "-c", code, "fit", files / "docs.csv", "--out", files / "model"]
    result = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=240)
    assert result.returncode == 1
    assert "pip install 'saetm-plugins[encoder]'" in result.stderr


def test_paths_with_brackets_can_be_saved_to(files, run):
    out = files / "model[/x]"
    arguments = ["fit", files / "docs.csv", "--embeddings", files / "embeddings.npy"]
    result = run(*arguments, "--n-topics", 3, "--out", out)
    assert result.exit_code == 0, result.exception
    assert f"Saved to {out}" in result.output


def test_words_labels_and_texts_with_brackets_are_printed(saved_model, corpus):
    model = SAETopicModel.load(saved_model)
    printed = io.StringIO()
    texts = [f"[bold]text[/red] {n}" for n in range(len(corpus.documents))]
    print_topics(model, Console(file=printed, width=200), documents=texts)
    assert "first [/x] topic" in printed.getvalue()
    assert "[bold]text[/red]" in printed.getvalue()


def test_topics_of_a_model_without_words_are_shown(corpus, tmp_path, run):
    model = SAETopicModel(n_topics=4, n_atoms=12, k=2).fit(None, embeddings=corpus.embeddings)
    model.save(tmp_path / "model")
    result = run("topics", tmp_path / "model")
    assert result.exit_code == 0, result.exception
    for rows in model.get_representative_indices(3):
        assert " ".join(map(str, rows)) in result.output


def test_warnings_are_one_line_without_source(files, main):
    text = (files / "docs.csv").read_text().replace("common", "café")
    (files / "latin.csv").write_bytes(text.encode("latin-1"))
    arguments = ["fit", files / "latin.csv", "--embeddings", files / "embeddings.npy"]
    code, _, err = main(*arguments, "--n-topics", 3, "--out", files / "model")
    assert code in (None, 0)
    lines = [line for line in err.splitlines() if "cp1252" in line]
    assert len(lines) == 1
    assert lines[0].startswith("warning: '")
    assert "warn(" not in err
    assert "UserWarning" not in err
    vocabulary = SAETopicModel.load(files / "model").vocabulary_
    assert any(word.startswith("café") for word in vocabulary)


def test_warnings_of_the_library_are_one_line_too(files, main):
    frame = pd.read_csv(files / "docs.csv", dtype=str)
    frame.loc[7, "text"] = "1 2 3"
    frame.to_csv(files / "docs.csv", index=False)
    arguments = ["fit", files / "docs.csv", "--embeddings", files / "embeddings.npy"]
    _, _, err = main(*arguments, "--n-topics", 3, "--out", files / "model")
    assert "\nwarning: 1 of 400 documents hold no word of the vocabulary;" in "\n" + err
    assert "UserWarning" not in err
    assert "model.fit" not in err


def test_nothing_imports_the_command():
    root = os.path.dirname(saetm_plugins.__file__)
    for folder, _, names in os.walk(root):
        if os.path.basename(folder) == "cli":
            continue
        for name in set(names) - {"__main__.py"}:
            if name.endswith(".py"):
                with open(os.path.join(folder, name), encoding="utf-8") as source:
                    nodes = ast.walk(ast.parse(source.read()))
                modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
                assert not any(str(m).startswith("saetm_plugins.cli") for m in modules), name


def test_a_bad_count_is_named(files, run):
    result = run("fit", files / "docs.csv", "--n-topics", "many", "--out", files / "model")
    assert result.exit_code == 2
    assert "many" in result.output


@pytest.fixture
def shards(corpus, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for number, rows in enumerate(np.array_split(corpus.embeddings, 3)):
        np.save(folder / f"shard-{number}.npy", rows)
    return folder


def test_train_sae_takes_a_file_of_settings_and_flags_win(shards, run, tmp_path):
    config = {"n_atoms": 12, "k": 3, "n_steps": 500, "levels": [0.5, 1.0], "data_name": "planted"}
    (tmp_path / "run.json").write_text(json.dumps(config))
    arguments = ["train-sae", shards, "--config", tmp_path / "run.json", "--n-steps", 40]
    arguments += ["--batch-size", 64, "--encoder-name", "some/encoder", "--random-state", 3]
    result = run(*arguments, "--out", tmp_path / "sae")
    assert result.exit_code == 0, result.output
    sae = SparseAutoencoder.from_pretrained(tmp_path / "sae")
    assert sae.encoder_name == "some/encoder"
    assert sae.settings_["data_name"] == "planted"
    assert sae.settings_["n_steps"] == 40
    same = train_sae(shards, 12, k=3, n_steps=40, batch_size=64, levels=(0.5, 1.0), random_state=3)
    assert np.array_equal(sae.decoder_, same.decoder_)
    assert np.array_equal(sae.thresholds_, same.thresholds_)
    refused = run(*arguments, "--out", tmp_path / "sae")
    assert refused.exit_code == 2
    assert "exists" in refused.output


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            '{"n_atom": 12, "optimiser": "sgd"}',
            "'n_atom', 'optimiser'.*train_sae takes activation, ",
        ),
        ('{"learning_rate": "fast"}', "learning_rate must be a number; found 'fast'"),
        ("[1, 2]", "run.json.*is not a JSON object"),
        ('{"n_atoms": 12', "run.json.*is not a JSON object"),
    ],
)
def test_train_sae_names_what_is_wrong_in_the_file(shards, run, tmp_path, config, message):
    (tmp_path / "run.json").write_text(config)
    result = run("train-sae", shards, "--config", tmp_path / "run.json", "--out", tmp_path / "sae")
    assert isinstance(result.exception, ValueError | TypeError)
    assert re.search(message, str(result.exception), flags=re.DOTALL)
    assert not (tmp_path / "sae").exists()


def _command(*arguments):
    return [sys.executable, "-m", "saetm_plugins", *map(str, arguments)]


def test_a_killed_train_sae_goes_on_where_it_stopped(shards, run, tmp_path):
    options = ["--n-atoms", 12, "--k", 2, "--n-steps", 1500, "--batch-size", 64]
    resumable = [*options, "--checkpoint-dir", tmp_path / "run", "--checkpoint-every", 50]
    process = subprocess.Popen(
        _command("train-sae", shards, *resumable, "--out", tmp_path / "resumed"),
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not list(tmp_path.glob("run/step-*.safetensors")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=240) == -signal.SIGKILL
    assert not (tmp_path / "resumed").exists()
    taken = max(int(file.stem.split("-")[1]) for file in tmp_path.glob("run/step-*.safetensors"))
    assert taken < 1500

    resumed = run("train-sae", shards, *resumable, "--out", tmp_path / "resumed")
    assert resumed.exit_code == 0, resumed.output
    whole = run("train-sae", shards, *options, "--out", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    first, second = (
        SparseAutoencoder.from_pretrained(tmp_path / name) for name in ("whole", "resumed")
    )
    for name in ("encoder_", "decoder_", "thresholds_"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    other = run("train-sae", shards, *resumable, "--k", 3, "--out", tmp_path / "other")
    assert "k was 2, is 3" in str(other.exception)


def test_torchrun_trains_on_two_processes(shards, run, tmp_path):
    options = ["--n-atoms", 12, "--k", 2, "--n-steps", 30, "--batch-size", 64, "--device", "cpu"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", "-m", "saetm_plugins", "train-sae", shards, *options]
    subprocess.run(
        [*map(str, torchrun), "--out", str(tmp_path / "together")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        check=True,
        timeout=300,
        capture_output=True,
    )
    run("train-sae", shards, *options, "--out", tmp_path / "alone")
    together, alone = (
        SparseAutoencoder.from_pretrained(tmp_path / name) for name in ("together", "alone")
    )
    np.testing.assert_allclose(together.decoder_, alone.decoder_, atol=5e-3)


def test_embed_writes_shards_that_train_sae_reads(files, run):
    texts = files / "few.csv"
    pd.DataFrame({"body": [f"A text about theme {n}." for n in range(20)]}).to_csv(texts)
    arguments = ["embed", texts, "--text-column", "body", "--shard-size", 8]
    result = run(*arguments, "--out", files / "shards")
    assert result.exit_code == 0, result.output
    names = sorted(file.name for file in (files / "shards").glob("*.npy"))
    assert len(names) == 3
    newest = files / "shards" / names[-1]
    before = np.load(newest)
    newest.unlink()
    assert run(*arguments, "--out", files / "shards").exit_code == 0  # the last shard alone
    np.testing.assert_allclose(np.load(newest), before, atol=1e-5)
    trained = run("train-sae", files / "shards", "--n-steps", 5, "--out", files / "sae")
    assert trained.exit_code == 0, trained.output
    assert SparseAutoencoder.from_pretrained(files / "sae").n_features == before.shape[1]
    refused = run(*arguments, "--text-column", "text", "--out", files / "other")
    assert "'text' is not in" in str(refused.exception)
