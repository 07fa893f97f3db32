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


@pytest.mark.parametrize(
    "text", ["Dear John,\nthanks, bye", "a, b\n\nc", 'one\n"two", three', "one\r\ntwo; three"]
)
def test_line_breaks_within_csv_quotes_are_no_rows(tmp_path, text):
    frame = pd.DataFrame({"id": range(3), "text": [text] * 3})
    frame.to_csv(tmp_path / "b.csv", index=False, lineterminator="\n")
    assert read(tmp_path, (tmp_path / "b.csv").read_bytes()) == ([text] * 3, "")


SAID = ['say "hi", C:\\x \\n']


@pytest.mark.parametrize(("content", "options", "texts", "said"), [
    ("text\none, two\nthree\nfour, five, six\n", {}, ["one, two", "three", "four, five, six"], ""),
    ("id~text\n1~one\n2~two\n", {"sep": "~"}, ["one", "two"], ""),
    ("id\ttext\n1\tone\n", {"sep": r"\t"}, ["one"], ""),  # as a shell hands it over
    (b"\xef\xbb\xbftext,n\none,1\n", {"encoding": "utf-8"}, ["one"], ""),  # a byte order mark
    ("\ufefftext,n\none,1\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, ["one"], ""),
    ("\nid,text\n1,one\n\n2\n3,three,\n", {}, ["one", "", "three"],
     "fewer than 2 cells, the rest read as empty, in line 5"),
    ('text\none\n"two\nlines"\n', {}, ["one", "two\nlines"],
     "join several lines to one text from line 3"),
    ('id,text\n1,"say \\"hi\\", C:\\\\x \\n"\n', {}, SAID, ""),  # MySQL
    ('sep=;\r\nid;text\r\n1;"say ""hi"", C:\\x \\n"\r\n', {}, SAID, ""),  # Excel
    ('id, text\n1, "say ""hi"", C:\\x \\n"\n', {}, SAID, ""),
    ('\ufeff"id","text"\n"1","say ""hi"", C:\\x \\n"\n', {}, SAID, ""),
    (b"id,text,\r\n1,one,\r2, two\0,\n3,three\x0c\xe2\x80\xa8end,\n", {},
     ["one", " two\0", "three\x0c\u2028end"], ""),
    ("Report; 2020\n\nid;text\n1;a, b\n", {"header_row": 3}, ["a, b"], ""),
    ("1;a, b\n2;c\n", {"text_column": "2", "header_row": 0}, ["a, b", "c"], ""),
    ("a, b\nc\nd, e\n", {"text_column": "1", "header_row": 0}, ["a, b", "c", "d, e"], ""),
])  # fmt: skip
def test_dialects_of_programs_and_people(tmp_path, content, options, texts, said):
    found, warned = read(tmp_path, content, **options)
    assert found == texts
    assert said in warned if said else not warned


@pytest.mark.parametrize(("content", "options", "message"), [
    ('id,text\n1,"one, two"\n2,"he said "hi", loudly"\n', {}, "line 3: text follows the quote"),
    ("1;a\n2;c\n", {}, r"is not in row 1 \(header_row\) of .*; it has 1, a"),
    ("1;a\n2;b;c\n", {"text_column": "2", "header_row": 0, "sep": ";"},
     r"line 2: 3 cells for 2 columns \(1, 2\)"),
    ("text, text\none,two\n", {}, "text_column 'text' stands twice in"),
    ("text, n\n", {"sep": ", "}, r"sep must be one character.*found ', '"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, content, options, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content, **options)
