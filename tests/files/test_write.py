import pytest

from saetm_plugins.files.write import write_whole


def test_a_file_is_replaced_completely_or_stays_as_it_was(tmp_path):
    file = tmp_path / "made" / "page[1].html"
    write_whole(file, lambda target: target.write_text("old"))

    def fail(target):
        target.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(file, fail)
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_what_a_killed_process_left_is_deleted_by_the_next_writer(tmp_path):
    file = tmp_path / "page[1].html"
    (tmp_path / ".page[1].html.7-7.partial").write_text("half")
    write_whole(file, lambda target: target.write_text("new"))
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_another_process_finished_first_stays(tmp_path):
    file = tmp_path / "shard.npy"

    def overtaken(target):
        target.write_text("second")
        write_whole(file, lambda _: file.with_name("first").rename(target))

    file.with_name("first").write_text("first")
    write_whole(file, overtaken)
    assert file.read_text() == "first"
