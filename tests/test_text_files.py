import io
import json
import sys
import tracemalloc

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saetm_plugins.text_files import open_table

AWKWARD = [
    "007",
    "NA",
    "None",
    "nan",
    "",
    'a "quoted", text',
    "two\nlines; and\ttabs",
    "café – 日本",
]


def read(file, column="text", **options):
    with open_table(file, **options) as table:
        return list(table.texts(column))


def write(path, kind):
    """Write the awkward texts, with an id beside each, as a file of one kind."""
    file = path / f"texts.{kind}"
    frame = pd.DataFrame({"id": range(len(AWKWARD)), "text": AWKWARD})
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "tsv":
        frame.to_csv(file, index=False, sep="\t")
    elif kind == "xlsx":
        frame.to_excel(file, index=False)
    elif kind == "parquet":
        frame.to_parquet(file)
    else:
        frame.to_json(file, orient="records", lines=kind != "json")
    return file


@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx", "parquet", "json", "jsonl", "ndjson"])
def test_texts_are_read_as_they_stand_in_the_file(tmp_path, kind):
    assert read(write(tmp_path, kind)) == AWKWARD


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet", "json", "jsonl"])
def test_standard_input_is_told_by_its_first_bytes(tmp_path, monkeypatch, kind):
    content = write(tmp_path, kind).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    with open_table("-") as table:
        assert list(table.texts()) == AWKWARD
        assert list(table.texts()) == AWKWARD  # a second pass


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
def test_the_separator_is_found_though_texts_hold_the_others(tmp_path, sep):
    frame = pd.DataFrame({"n": range(9), "text": ["one, two; three | four\tfive, six"] * 9})
    frame.to_csv(tmp_path / "texts.csv", index=False, sep=sep)
    assert read(tmp_path / "texts.csv") == frame["text"].tolist()
    assert read(tmp_path / "texts.csv", sep=sep) == frame["text"].tolist()


def test_a_file_of_one_column_may_hold_commas_without_quotes(tmp_path):
    (tmp_path / "texts.csv").write_text("text\none, two\nthree\nfour, five, six\n")
    assert read(tmp_path / "texts.csv") == ["one, two", "three", "four, five, six"]


def test_a_separator_can_be_any_character_and_only_one(tmp_path):
    (tmp_path / "texts.csv").write_text("id~text\n1~one\n2~two\n")
    assert read(tmp_path / "texts.csv", sep="~") == ["one", "two"]
    (tmp_path / "tabs.csv").write_text("id\ttext\n1\tone\n")
    assert read(tmp_path / "tabs.csv", sep=r"\t") == ["one"]  # as a shell hands it over
    with pytest.raises(ValueError, match=r"sep must be one character.*found ', '"):
        read(tmp_path / "texts.csv", sep=", ")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"]
)
@pytest.mark.filterwarnings("ignore:.*was read as")
def test_encodings_are_found(tmp_path, encoding):
    texts = ["Le café était fermé à cause de la grève.", "Où êtes-vous allés cet été ?"] * 3
    text = "text\n" + "\n".join(texts) + "\n"
    (tmp_path / "texts.csv").write_bytes(text.encode(encoding))
    assert read(tmp_path / "texts.csv") == texts
    assert read(tmp_path / "texts.csv", encoding=encoding) == texts


def test_a_guessed_encoding_is_named_and_one_that_does_not_fit_refused(tmp_path):
    file = tmp_path / "texts.csv"
    file.write_bytes(("text\n" + "plain text\n" * 200_000 + "Größe und Straße\n").encode("latin-1"))
    with pytest.warns(UserWarning, match=r"texts\.csv.*not UTF-8.*read as cp1252"):
        assert read(file)[-1] == "Größe und Straße"
    with pytest.raises(ValueError, match=r"texts\.csv.*byte 2200007.*tried utf-8"):
        read(file, encoding="utf-8")
    with pytest.raises(ValueError, match="encoding 'utf-9' is not known"):
        read(file, encoding="utf-9")


def test_what_is_not_text_names_the_encodings_tried(tmp_path):
    (tmp_path / "texts.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    with pytest.raises(ValueError, match=r"encoding of .*texts\.csv.* not found.*tried utf-8"):
        read(tmp_path / "texts.csv")


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "texts.csv").write_bytes(b"\xef\xbb\xbftext,n\none,1\n")
    assert read(tmp_path / "texts.csv", encoding="utf-8") == ["one"]
    (tmp_path / "wide.csv").write_bytes("\ufefftext,n\none,1\n".encode("utf-16-le"))
    assert read(tmp_path / "wide.csv", encoding="utf-16-le") == ["one"]


def test_null_is_an_empty_text_and_numbers_are_printed(tmp_path):
    cells = [None, 7, 7.5, True, "None", float("nan")]
    expected = ["", "7", "7.5", "True", "None", ""]
    rows = [{"text": cell} for cell in cells] + [{"other": 1}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read(tmp_path / "a.jsonl") == [*expected, ""]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert read(tmp_path / "a.json") == [*expected, ""]
    pq.write_table(pa.table({"text": [None, 7, 8]}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == ["", "7", "8"]


def test_json_by_columns_by_lines_and_of_one_object(tmp_path):
    frame = pd.DataFrame({"text": ["one", "two"], "n": [1, 2]})
    frame.to_json(tmp_path / "a.json")
    assert read(tmp_path / "a.json") == ["one", "two"]
    frame.to_json(tmp_path / "b.json", orient="records", lines=True)
    assert read(tmp_path / "b.json") == ["one", "two"]
    (tmp_path / "c.json").write_text('{"text": "one", "tags": ["a", "b"]}')
    assert read(tmp_path / "c.json") == ["one"]


def test_blank_lines_are_skipped_and_short_rows_filled(tmp_path):
    (tmp_path / "a.csv").write_text("\nid,text\n1,one\n\n2\n3,three,\n")
    assert read(tmp_path / "a.csv") == ["one", "", "three"]
    book = openpyxl.Workbook()
    for row in (["id", "text"], [1, "one"], [None, None], [2], [3, "three"], [None, None]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx") == ["one", "", "", "three"]  # row numbers stay those of Excel


def test_a_folder_of_text_files(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "b.txt").write_text("second, of\ntwo lines")
    (tmp_path / "in" / "a.txt").write_bytes("\ufefffirst".encode("utf-16-le"))
    (tmp_path / "in" / "deep" / "c.txt").write_text("")
    (tmp_path / "in" / "notes.md").write_text("not a text of ours")
    with open_table(tmp_path / "in") as table:
        rows = list(table.rows(id_column="id", text_column="text"))
    assert rows == [["a.txt", "first"], ["b.txt", "second, of\ntwo lines"], ["deep/c.txt", ""]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty.* holds no \.txt file"):
        read(tmp_path / "empty")


@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx", "parquet", "json", "jsonl"])
def test_a_missing_column_lists_those_there_are(tmp_path, kind):
    with pytest.raises(ValueError, match=r"text_column 'body' is not in .*texts.*it has id, text"):
        read(write(tmp_path, kind), "body")


def test_a_column_that_stands_there_twice_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text, text\none,two\n")
    with pytest.raises(ValueError, match="text_column 'text' stands twice in"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", 'id,text\n1,one\n2,"two\n3,three\n4,four\n', r"line 3: a quote is opened and"),
        ("a.csv", "id,text\n1,one, and more\n", r"line 2: 3 cells for 2 columns \(id, text\)"),
        ("a.jsonl", '{"text": "one"}\n{"text": \n', "line 2: not JSON"),
        ("a.jsonl", '{"text": "one"}\n["two"]\n', "line 2: must be an object.*found list"),
        ("a.json", '["one", "two"]', "must hold a list of objects"),
        ("a.json", '[{"text": "one"}', "not JSON"),
        (
            "a.jsonl",
            '{"text": "one"}\n{"text": ["t", "w"]}',
            "must hold texts; found list in row 2",
        ),
        ("a.xlsx", "text\none\n", r"not a readable \.xlsx"),
        ("a.parquet", "text\none\n", r"not a readable \.parquet"),
        ("a.csv", " \n", "is empty"),
        ("a.docx", "text\none\n", r"a\.docx.* must be one of \.csv, \.tsv"),
    ],
)
def test_damaged_files_say_where(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_larger_than_memory_is_read_row_by_row(tmp_path, kind):
    text = "a long text " * 1000
    file = tmp_path / f"a.{kind}"
    frame = pd.DataFrame({"text": [f"{i} {text}" for i in range(2000)]})  # 24 MB
    if kind == "csv":
        frame.to_csv(file)
    elif kind == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        pq.write_table(pa.table({"text": frame["text"].tolist()}), file, row_group_size=100)
    del frame
    with open_table(file) as table:
        tracemalloc.start()
        n_texts = sum(1 for _ in table.texts())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert n_texts == 2000
    assert peak < 8e6
