"""Quotes, line ends and rows of CSV files as people have them: no row is lost in silence."""

import warnings

import pandas as pd
import pytest

from saetm_plugins.files.tables import read_table


def read(tmp_path, content, text_column="text", name="a.csv", **options):
    """Return the texts, and the warnings as one text."""
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        table = read_table(tmp_path / name, text_column, **options)
    return table[text_column].tolist(), " ".join(str(each.message) for each in given)


@pytest.mark.parametrize(
    ("last", "line"),
    [
        ('"Awful" they said', "line 3: text follows the quote that closes a cell"),
        ('good, "really"', "line 3: text follows the quote that closes a cell"),
        ('12"', "line 3: a quoted cell looks like 3 rows"),
        ("fine", "line 3: a quote is opened and never closed"),
    ],
)
def test_stray_quotes_swallow_no_rows(tmp_path, last, line):
    texts = ["one", '"Best phone ever', "two", last]
    content = "id\ttext\n" + "".join(f"{i}\t{text}\n" for i, text in enumerate(texts))
    found, said = read(tmp_path, content, name="a.tsv")
    assert found == texts
    assert line in said
    assert "all quotes are read as characters of the texts" in said
    found, said = read(tmp_path, content, name="a.tsv", quoting="none")
    assert (found, said) == (texts, "")


def test_a_stray_quote_among_csv_quotes_is_refused_with_its_line(tmp_path):
    with pytest.raises(ValueError, match=r"line 3: text follows the quote that closes a cell"):
        read(tmp_path, 'id,text\n1,"one, two"\n2,"he said "hi", loudly"\n')


@pytest.mark.parametrize(
    "text", ["Dear John,\nthanks, bye", "a, b\n\nc", 'one\n"two", three', "one\r\ntwo; three"]
)
def test_line_breaks_within_csv_quotes_are_no_rows(tmp_path, text):
    frame = pd.DataFrame({"id": range(3), "text": [text] * 3})
    frame.to_csv(tmp_path / "b.csv", index=False, lineterminator="\n")
    assert read(tmp_path, (tmp_path / "b.csv").read_bytes()) == ([text] * 3, "")


def test_lines_that_quotes_join_in_a_single_column_are_named(tmp_path):
    found, said = read(tmp_path, 'text\none\n"two\nlines"\n')
    assert found == ["one", "two\nlines"]
    assert "join several lines to one text from line 3" in said


@pytest.mark.parametrize(
    "content",
    [
        'id,text\n1,"say \\"hi\\", C:\\\\x \\n"\n',  # MySQL
        'sep=;\r\nid;text\r\n1;"say ""hi"", C:\\x \\n"\r\n',  # Excel
        'id, text\n1, "say ""hi"", C:\\x \\n"\n',
        '\ufeff"id","text"\n"1","say ""hi"", C:\\x \\n"\n',
    ],
)
def test_dialects_of_programs(tmp_path, content):
    assert read(tmp_path, content, id_column="id") == (['say "hi", C:\\x \\n'], "")


def test_line_ends_nulls_trailing_separators_and_blanks(tmp_path):
    content = b"id,text,\r\n1,one,\r2, two\0,\n3,three\x0c\xe2\x80\xa8end,\n"
    assert read(tmp_path, content) == (["one", " two\0", "three\x0c\u2028end"], "")


def test_rows_that_are_too_short_are_named(tmp_path):
    found, said = read(tmp_path, "id,text\n1,one\nbroken\n2,two\n")
    assert found == ["one", "", "two"]
    assert "fewer than 2 cells, the rest read as empty, in line 3" in said


def test_names_of_columns_may_stand_further_down_or_nowhere(tmp_path):
    assert read(tmp_path, "Report; 2020\n\nid;text\n1;a, b\n", header_row=3) == (["a, b"], "")
    assert read(tmp_path, "1;a, b\n2;c\n", "2", header_row=0) == (["a, b", "c"], "")
    assert read(tmp_path, "a, b\nc\nd, e, f\n", "1", header_row=0) == (["a, b", "c", "d, e, f"], "")
    with pytest.raises(ValueError, match=r"is not in row 1 \(header_row\) of .*; it has 1, a"):
        read(tmp_path, "1;a\n2;c\n")
    with pytest.raises(ValueError, match=r"line 2: 3 cells for 2 columns \(1, 2\)"):
        read(tmp_path, "1;a\n2;b;c\n", "2", header_row=0, sep=";")
