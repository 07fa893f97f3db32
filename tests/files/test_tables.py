import json

import numpy as np
import openpyxl
import pandas as pd
import pytest

from saetm_plugins.files.tables import check_table_path, read_table, write_table

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


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet", ".xlsx"])
def test_all_columns_can_be_kept(tmp_path, suffix):
    frame = pd.DataFrame({"text": ["a", "b"], "id": [1, 2], "other": ["x", None]})
    frame.to_json(tmp_path / "a.json")
    path = tmp_path / "a.json" if suffix == ".json" else write_table(frame, tmp_path / f"a{suffix}")
    for text_column in ("text", None):
        kept = read_table(path, text_column, keep_columns=True)
        assert kept.columns.tolist() == ["text", "id", "other"]
        assert kept["id"].tolist() == [1, 2]


@pytest.mark.parametrize("header", ['id, "text", n', r'id,"text",n', "sep=,\nid,text,n"])
def test_all_columns_of_odd_csv_can_be_kept(tmp_path, header):
    row = '1, "a ""b"", c", 2' if ", " in header else r'1,"a \"b\", c",2'
    (tmp_path / "a.csv").write_text(f"{header}\n{row}\n")
    kept = read_table(tmp_path / "a.csv", keep_columns=True)
    assert kept.to_dict("list") == {"text": ['a "b", c'], "id": [1], "n": [2]}


def test_large_integers_beside_missing_ones_stay_exact(tmp_path):
    ids = [9007199254740993, None, 2**70]
    (tmp_path / "a.json").write_text(json.dumps([{"text": "a", "id": key} for key in ids]))
    table = read_table(tmp_path / "a.json", id_column="id")
    assert table["id"].isna().tolist() == [False, True, False]
    assert table["id"].dropna().tolist() == [9007199254740993, 2**70]


def test_groups_and_ids_of_a_csv_stay_as_they_stand(tmp_path):
    numbers = ["1,5", "01/02/2020", "1e5", "12345678901234567890"]
    for cell in ["NA", "null", "None", "nan", "TRUE", *numbers]:
        (tmp_path / "a.csv").write_text(f'text,id\na,"{cell}"\nb,"{cell}"\n')
        assert read_table(tmp_path / "a.csv", id_column="id")["id"].tolist() == [cell, cell]
