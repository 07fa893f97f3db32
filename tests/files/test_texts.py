import bz2
import gzip
import io
import json
import lzma
import re
import sys
import tracemalloc
import warnings
import zipfile

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saetm_plugins.files.texts import open_table

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


WRITERS = {
    "csv": lambda frame, file: frame.to_csv(file, index=False),
    "tsv": lambda frame, file: frame.to_csv(file, index=False, sep="\t"),
    "xlsx": lambda frame, file: frame.to_excel(file, index=False),
    "parquet": lambda frame, file: frame.to_parquet(file),
    "json": lambda frame, file: frame.to_json(file, orient="records"),
    "jsonl": lambda frame, file: frame.to_json(file, orient="records", lines=True),
    "ndjson": lambda frame, file: frame.to_json(file, orient="records", lines=True),
}


def write(path, kind):
    """Write the awkward texts, with an id beside each, as a file of one kind."""
    file = path / f"texts.{kind}"
    WRITERS[kind](pd.DataFrame({"id": range(len(AWKWARD)), "text": AWKWARD}), file)
    return file


def warned(file, column="text", **options):
    """Return the texts, and the warnings as one text."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        found = read(file, column, **options)
    return found, " ".join(str(each.message) for each in given)


@pytest.mark.parametrize("kind", WRITERS)
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


def test_blank_rows_within_a_sheet_are_kept(tmp_path):
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


@pytest.mark.parametrize("kind", WRITERS)
def test_a_missing_column_lists_those_there_are(tmp_path, kind):
    with pytest.raises(ValueError, match=r"text_column 'body' is not in .*texts.*it has id, text"):
        read(write(tmp_path, kind), "body")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", 'id,text\n1,"a, b"\n2,"two\n3,three\n', r"line 3: a quote is opened and never"),
        ("a.csv", "id,text\n1,one, and more\n", r"line 2: 3 cells for 2 columns \(id, text\)"),
        ("a.jsonl", '{"text": "one"}\n{"text": \n', "line 2: not JSON"),
        ("a.jsonl", '{"text": "one"}\n["two"]\n', "line 2: must be an object.*found list"),
        ("a.json", '["one", "two"]', "must hold a list of objects"),
        ("a.json", '[{"text": "one"}', "not JSON"),
        ("a.jsonl", '{"text": "one"}\n{"text": ["t"]}', "hold texts; found list in row 2"),
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
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_larger_than_memory_is_read_row_by_row(tmp_path, kind):
    text = "a long text " * 1000
    file = tmp_path / f"a.{kind}"
    frame = pd.DataFrame({"text": [f"{i} {text}" for i in range(2000)]})  # 24 MB
    if kind == "parquet":
        frame.to_parquet(file, row_group_size=100)
    else:
        WRITERS[kind](frame, file)
    del frame
    with open_table(file) as table:
        tracemalloc.start()
        n_texts = sum(1 for _ in table.texts())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert n_texts == 2000
    assert peak < 8e6


def test_a_few_bytes_that_are_not_utf8_spoil_no_other_text(tmp_path):
    texts = ["café au lait", "plain", "thé vert à la menthe"]
    content = ("text\n" + "\n".join(texts)).encode().replace(b"plain", b"pl\xe1in")
    (tmp_path / "a.csv").write_bytes(content)
    found, said = warned(tmp_path / "a.csv")
    assert found == [texts[0], "pl\ufffdin", texts[2]]
    assert "U+FFFD stands for characters that cannot be read, in row 2" in said
    with pytest.raises(ValueError, match="byte 21 cannot be decoded; tried utf-8"):
        read(tmp_path / "a.csv", encoding="utf-8")
    assert warned(tmp_path / "a.csv", encoding="utf-8", encoding_errors="replace") == (found, said)
    with pytest.raises(ValueError, match="encoding_errors must be one of strict, replace"):
        read(tmp_path / "a.csv", encoding_errors="ignore")


LANGUAGES = {
    "german": ("cp1252", "Für das Frühstück hätte ich gern größere Portionen."),
    "french": ("cp1252", "Où êtes-vous allés cet été ? Le paquet était abîmé."),
    "spanish": ("cp1252", "La habitación era pequeña, pero el baño estaba limpio."),
    "portuguese": ("cp1252", "A entrega não chegou, as instruções são difíceis."),
    "italian": ("cp1252", "La qualità è ottima, però la città era più cara."),
    "swedish": ("cp1252", "Jag är mycket nöjd med köpet, men färgen är fel."),
    "polish": ("cp1250", "Obsługa była uprzejma, jednak jedzenie okazało się zimne."),
    "czech": ("cp1250", "Zásilka přišla rychle, ale krabice byla poškozená."),
    "hungarian": ("cp1250", "Az étel hűvös és ízetlen, a gyűrű törött volt."),
    "turkish": ("cp1254", "Kargo hızlı geldi, ama ürünü hiç beğenmedim."),
    "russian": ("cp1251", "Посылка пришла быстро, но коробка была помята."),
    "greek": ("cp1253", "Το δέμα ήρθε γρήγορα, αλλά το κουτί ήταν σχισμένο."),
}


@pytest.mark.parametrize(
    ("language", "english"), [*((name, 0) for name in LANGUAGES), ("italian", 500), ("czech", 500)]
)
def test_encodings_of_windows_are_found_by_the_language(tmp_path, language, english):
    encoding, text = LANGUAGES[language]
    texts = ["an English sentence about dogs and cats"] * english + [text] * 5
    (tmp_path / "a.csv").write_text("text\n" + "\n".join(f'"{t}"' for t in texts), encoding)
    found, said = warned(tmp_path / "a.csv")
    assert found == texts
    assert f"read as {encoding}" in said


def test_half_a_surrogate_pair_is_replaced_and_its_row_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d\\ude00"}\n{"text": "cut \\ud83d off"}\n')
    found, said = warned(tmp_path / "a.jsonl")
    assert found == ["\U0001f600", "cut \ufffd off"]
    assert "in row 2" in said


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table"])
def test_json_as_pandas_writes_it(tmp_path, orient):
    frame = pd.DataFrame({"id": ["007", "NA", None], "text": ["one", None, "2020-01-01"]})
    frame.to_json(tmp_path / "a.json", orient=orient)
    with open_table(tmp_path / "a.json") as table:
        assert list(table.rows(i="id", t="text")) == [
            ["007", "one"], ["NA", None], [None, "2020-01-01"],
        ]  # fmt: skip


def test_other_layouts_of_json(tmp_path):
    (tmp_path / "lines.json").write_text('{"text": "one"}\n{"text": "two"}\n')
    assert read(tmp_path / "lines.json") == ["one", "two"]
    (tmp_path / "one.json").write_text('{"text": "one", "tags": ["a", "b"]}')
    assert read(tmp_path / "one.json") == ["one"]
    (tmp_path / "a.json").write_text('{"meta": {"n": 1}, "tags": [], "data": [{"text": "one"}]}')
    assert read(tmp_path / "a.json") == ["one"]
    (tmp_path / "b.json").write_text(
        '{"id": {"a": 1, "b": 2}, "text": {"b": "two", "a": "one", "c": "three"}}'
    )
    with open_table(tmp_path / "b.json") as table:
        assert list(table.rows(i="id", t="text")) == [[1, "one"], [2, "two"], [None, "three"]]
    pd.DataFrame({"text": ["one"]}).to_json(tmp_path / "c.json", orient="values")
    with pytest.raises(ValueError, match="must hold a list of objects"):
        read(tmp_path / "c.json")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files(tmp_path, monkeypatch, pack):
    for kind in ("csv", "jsonl"):
        content = write(tmp_path, kind).read_bytes()
        (tmp_path / f"a.{kind}.packed").write_bytes(pack(content))
        assert read(tmp_path / f"a.{kind}.packed") == AWKWARD
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(content))))
    assert read("-") == AWKWARD
    (tmp_path / "cut.csv.gz").write_bytes(pack(content)[:-20])
    with pytest.raises(ValueError, match=r"cut\.csv\.gz' cannot be unpacked"):
        read(tmp_path / "cut.csv.gz")


def test_a_zip_holds_one_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(write(tmp_path, "csv"), "folder/texts.csv")
        archive.writestr("__MACOSX/texts.csv", "")
    assert read(tmp_path / "a.zip") == AWKWARD
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("more.csv", "text\n")
    with pytest.raises(ValueError, match=r"must hold one file; it holds folder/texts\.csv, more"):
        read(tmp_path / "a.zip")


def test_excel_cells_that_begin_with_an_equals_sign_and_line_breaks(tmp_path):
    cells = ["= the best", "two_x000D_\nlines", "1+1", "=1+1", "=A9"]
    book = openpyxl.Workbook()
    for cell in ["text", *cells]:
        book.active.append([cell])
    book.active["A5"].data_type = "s"
    book.save(tmp_path / "a.xlsx")
    _add_result(tmp_path / "a.xlsx", "A6", "")
    found, said = warned(tmp_path / "a.xlsx")
    assert found == ["= the best", "two\r\nlines", "1+1", "=1+1", ""]
    assert "a formula without a result is read as a text in row 1" in said
    _add_result(tmp_path / "a.xlsx", "A2", "7 stars")
    assert warned(tmp_path / "a.xlsx") == (["7 stars", *found[1:]], "")


def _add_result(path, cell, result):
    """Give a formula its result, as Excel does when it saves."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    files[sheet] = re.sub(
        rf'(<c r="{cell}")[^>]*>(<f>[^<]*</f>)<v ?/>',
        rf'\1 t="str">\2<v>{result}</v>',
        files[sheet].replace("<v></v>", "<v/>"),
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_another_sheet_and_titles_above_the_names(tmp_path):
    frame = pd.DataFrame({"text": ["one", "two"]})
    with pd.ExcelWriter(tmp_path / "a.xlsx") as writer:
        frame.to_excel(writer, sheet_name="First", index=False)
        frame[::-1].to_excel(writer, sheet_name="Second", index=False, startrow=2)
    found, said = warned(tmp_path / "a.xlsx")
    assert found == ["one", "two"]
    assert "has the sheets First, Second; only First is read" in said
    for sheet in ("Second", 2, "2"):
        found = warned(tmp_path / "a.xlsx", sheet=sheet, header_row=3)
        assert found == (["two", "one"], "")
    assert read(tmp_path / "a.xlsx", "1", sheet=1, header_row=0) == ["text", "one", "two"]
    with pytest.raises(ValueError, match=r"sheet 'Third' is not in .*; it has First, Second"):
        read(tmp_path / "a.xlsx", sheet="Third")
