import json
from copy import copy

import numpy as np
import openpyxl
import pandas as pd
import pytest

from saetm_plugins import SAETopicModel
from saetm_plugins.files.tables import (
    check_table_path,
    document_table,
    read_table,
    topic_table,
    write_table,
)


@pytest.fixture(scope="module")
def fitted(corpus):
    model = SAETopicModel(n_topics=5, n_atoms=12, k=2)
    return model.fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture(scope="module")
def wordless(corpus):
    return SAETopicModel(n_topics=4, n_atoms=12, k=2).fit(None, embeddings=corpus.embeddings)


def test_documents_have_their_largest_topics(fitted):
    table = document_table(fitted)
    assert list(table)[:4] == ["id", "topic", "name", "share"]
    assert list(table)[4:] == ["topic_2", "name_2", "share_2", "topic_3", "name_3", "share_3"]
    assert table["id"].tolist() == list(range(400))
    np.testing.assert_array_equal(table["topic"], fitted.labels_)
    ordered = np.sort(fitted.doc_topics_, axis=1)[:, ::-1]
    for rank, column in enumerate(["share", "share_2", "share_3"]):
        expected = np.where((ordered[:, rank] > 0) | (rank == 0), ordered[:, rank], np.nan)
        np.testing.assert_array_equal(table[column], expected)
        topics = table[column.replace("share", "topic")]
        found = topics.notna().to_numpy()
        np.testing.assert_array_equal(found, ~np.isnan(expected))
        rows = np.flatnonzero(found)
        shares = fitted.doc_topics_[rows, topics[found].astype(int)]
        np.testing.assert_array_equal(shares, expected[found])
    assert table["topic_3"].isna().any()  # some documents are about two topics at most


def test_a_blank_text_is_of_no_topic(fitted, corpus):
    model = copy(fitted)
    with pytest.warns(UserWarning, match="1 of 6 documents are blank"):
        model.partial_fit(["  ", *corpus.documents[:5]], embeddings=corpus.embeddings[:6])
    with pytest.warns(UserWarning, match="1 of 6 documents are blank"):
        atoms = model.transform_atoms(["  ", *corpus.documents[:5]], corpus.embeddings[:6])
    labels, mixtures = model.topics_of(atoms)
    for table in (document_table(model), model.document_table(mixtures, labels=labels)):
        assert table["topic"].tolist() == [-1, *labels[1:]]
        assert table.loc[0, ["name", "share", "topic_2", "share_3"]].isna().all()
        assert table.loc[1:, ["name", "share"]].notna().all().all()
    with pytest.raises(ValueError, match="labels has shape"):
        model.document_table(mixtures, labels=labels[:3])


def test_names_are_labels_or_words_or_numbers(fitted, wordless):
    words = [" ".join(words) for words in fitted.get_topics(3)]
    assert topic_table(fitted)["name"].tolist() == words
    labelled = copy(fitted).set_topic_labels({1: "sports [all]"})
    assert topic_table(labelled)["name"].tolist() == [words[0], "sports [all]", *words[2:]]
    assert document_table(labelled).groupby("topic")["name"].first()[1] == "sports [all]"
    table = topic_table(wordless)
    assert table["name"].tolist() == ["topic 0", "topic 1", "topic 2", "topic 3"]
    assert table["words"].tolist() == [""] * 4
    assert set(document_table(wordless)["name"]) <= set(table["name"])


def test_topics_have_sizes_and_words(fitted):
    table = topic_table(fitted, n_words=4)
    assert list(table) == ["topic", "name", "documents", "share", "words"]
    assert table["documents"].tolist() == np.bincount(fitted.labels_, minlength=5).tolist()
    np.testing.assert_array_equal(table["share"], fitted.topic_prevalence_)
    assert table["words"].tolist() == [" ".join(words) for words in fitted.get_topics(4)]


def test_new_documents_and_ids_that_miss(fitted):
    mixtures = fitted.doc_topics_[:3]
    table = document_table(fitted, mixtures, ids=[7, None, float("nan")], n_next=0)
    assert list(table) == ["id", "topic", "name", "share"]
    assert table["id"][0] == 7
    assert str(table["id"][0]) == "7"  # not 7.0
    assert table["id"].isna().tolist() == [False, True, True]
    assert len(document_table(fitted, mixtures[:1])) == 1
    with pytest.raises(ValueError, match="ids has 2 values for 3 documents"):
        document_table(fitted, mixtures, ids=["a", "b"])
    with pytest.raises(ValueError, match=r"doc_topics must have 5 columns; found shape \(3, 4\)"):
        document_table(fitted, mixtures[:, :4])


def test_more_documents_than_are_ranked_at_a_time(fitted):
    mixtures = np.tile(fitted.doc_topics_, (200, 1))  # 80,000 rows
    table = document_table(fitted, mixtures)
    np.testing.assert_array_equal(table["topic"], np.tile(fitted.labels_, 200))
    last, first = table.iloc[-400:, 1:].reset_index(drop=True), table.iloc[:400, 1:]
    pd.testing.assert_frame_equal(last, first)


AWKWARD = pd.DataFrame(
    {
        "id": ["007", "=1+1", None, "NA", 'a "b"; c', "two\nlines", "café"],
        "n": pd.array([1, None, 3, 4, 5, 6, 7], dtype="Int64"),
        "share": np.array([0.1, 0.25, np.nan, 0.5, 0.6, 0.7, 1 / 3], dtype=np.float32),
        "day": pd.to_datetime(["2020-01-01"] * 7),
    }
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx", ".parquet", ".jsonl"])
def test_tables_come_back_as_they_were_written(tmp_path, suffix):
    path = write_table(AWKWARD, tmp_path / "new" / f"table{suffix}")
    assert [file.name for file in path.parent.iterdir()] == [f"table{suffix}"]
    table = read_table(path, "id", n="n", share="share", day="day")
    assert table["id"].tolist() == AWKWARD["id"].fillna("").tolist()
    assert table["n"].astype("Int64").equals(AWKWARD["n"])
    np.testing.assert_allclose(table["share"].astype("Float32"), AWKWARD["share"], atol=1e-6)
    assert pd.to_datetime(table["day"]).dt.year.tolist() == [2020] * 7


def test_shares_are_written_as_short_decimals(tmp_path):
    for name in ("a.csv", "a.jsonl"):
        text = write_table(AWKWARD, tmp_path / name).read_text(encoding="utf-8")
        assert "0.1," in text
        assert "0.333333," in text


def test_ids_of_several_types_can_be_written_to_parquet(tmp_path):
    frame = pd.DataFrame({"id": [1, "b", None]})
    write_table(frame, tmp_path / "a.parquet")
    assert pd.read_parquet(tmp_path / "a.parquet")["id"].tolist()[:2] == ["1", "b"]


def test_an_excel_sheet_holds_formulas_as_texts(tmp_path):
    path = write_table(pd.DataFrame({"id": ["=1+1", "bell\x07"]}), tmp_path / "a.xlsx")
    cells = [row[0] for row in openpyxl.load_workbook(path).active.iter_rows(min_row=2)]
    assert [cell.data_type for cell in cells] == ["s", "s"]
    assert [cell.value for cell in cells] == ["=1+1", "bell\ufffd"]


def test_paths_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    with pytest.raises(ValueError, match=r"out must end in one of \.csv, .*found 'a\.doc'"):
        check_table_path("a.doc", name="out")
    with pytest.raises(ValueError, match=r"cannot hold 2,000,000 rows.*1,048,575"):
        check_table_path("a.xlsx", 2_000_000)
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(ValueError, match=r"a\.csv' is a folder"):
        write_table(AWKWARD, tmp_path / "a.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file' is a file"):
        check_table_path(tmp_path / "file" / "a.csv")


def test_a_table_that_fails_midway_leaves_the_old_one(tmp_path):
    path = write_table(AWKWARD, tmp_path / "a.parquet")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="object"):  # of pyarrow
        write_table(pd.DataFrame({"id": [object()]}), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


def test_columns_beside_the_texts_are_numbers_and_dates_where_nothing_is_lost(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(
        "text,zip,year,gap,score,price,day,when,odd\n"
        "007,007,2020,1,0.5,0.50,2020-02-01,2020-02-01T10:00,2020-02-30\n"
        "NA,123,2021,,1.25,1.25,,2021-02-01 11:30,2020-02-01\n"
    )
    names = ["zip", "year", "gap", "score", "price", "day", "when", "odd"]
    table = read_table(file, **{name: name for name in names})
    assert table["text"].tolist() == ["007", "NA"]
    assert table["zip"].tolist() == ["007", "123"]
    assert table["year"].tolist() == [2020, 2021]
    assert table["gap"].tolist()[0] == 1
    assert table["gap"].isna().tolist() == [False, True]
    assert table["score"].tolist() == [0.5, 1.25]
    assert table["price"].tolist() == ["0.50", "1.25"]
    assert table["day"].dt.month.tolist()[0] == 2
    assert table["day"].isna().tolist() == [False, True]
    assert table["when"].dt.year.tolist() == [2020, 2021]
    assert table["odd"].tolist() == ["2020-02-30", "2020-02-01"]


def test_typed_files_keep_their_types(tmp_path):
    frame = pd.DataFrame({"text": ["a", None], "id": pd.array([7, None], dtype="Int64")})
    frame["day"] = pd.to_datetime(["2020-05-01", "2020-06-01"])
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    for name in ("a.parquet", "a.xlsx"):
        table = read_table(tmp_path / name, id_column="id", time_column="day", group_column=None)
        assert table["text"].tolist() == ["a", ""]
        assert str(table["id"][0]) == "7"
        assert table["id"].isna()[1]
        assert table["day"].dt.month[0] == 5


def test_a_missing_column_names_its_argument_and_no_rows_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,n\n")
    with pytest.raises(ValueError, match=r"id_column 'key' is not in .*; it has text, n"):
        read_table(tmp_path / "a.csv", id_column="key")
    with pytest.raises(ValueError, match=r"a\.csv.* holds no rows"):
        read_table(tmp_path / "a.csv")


def test_one_column_can_be_text_and_id(tmp_path):
    (tmp_path / "a.csv").write_text("text\n007\n")
    assert read_table(tmp_path / "a.csv", id_column="text")["text"].tolist() == ["007"]


def test_large_integers_beside_missing_ones_stay_exact(tmp_path, fitted):
    ids = [9007199254740993, None, 2**70]
    (tmp_path / "a.json").write_text(json.dumps([{"text": "a", "id": key} for key in ids]))
    table = read_table(tmp_path / "a.json", id_column="id")
    assert table["id"].isna().tolist() == [False, True, False]
    assert table["id"].dropna().tolist() == [9007199254740993, 2**70]
    named = document_table(fitted, fitted.doc_topics_[:3], ids=table["id"])["id"]
    assert named.dropna().tolist() == [9007199254740993, 2**70]


def test_groups_and_ids_of_a_csv_stay_as_they_stand(tmp_path):
    cells = [
        "NA",
        "null",
        "None",
        "nan",
        "TRUE",
        "1,5",
        "01/02/2020",
        "1e5",
        "12345678901234567890",
    ]
    for cell in cells:
        (tmp_path / "a.csv").write_text(f'text,id\na,"{cell}"\nb,"{cell}"\n')
        assert read_table(tmp_path / "a.csv", id_column="id")["id"].tolist() == [cell, cell]
