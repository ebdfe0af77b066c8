import gzip

from tests.tools.bad_lines import BAD_LINES, BYTE_ORDER_MARK, mix_in

GOOD = [b"en Page_%d 1 0" % number for number in range(500)]
FILE = gzip.compress(b"".join(line + b"\n" for line in GOOD))


def test_bad_lines_are_added_and_no_good_line_is_lost() -> None:
    lines = gzip.decompress(mix_in(FILE).pageviews_gz).removesuffix(b"\n").split(b"\n")
    assert len(lines) == len(GOOD) + len(BAD_LINES)
    assert [line for line in lines if line.startswith(b"en Page_")] == GOOD
    assert sorted(set(lines) - set(GOOD)) == sorted(bad.line for bad in BAD_LINES)


def test_a_byte_order_mark_is_the_first_thing_in_the_file() -> None:
    assert gzip.decompress(mix_in(FILE).pageviews_gz).startswith(BYTE_ORDER_MARK.line + b"\n")


def test_what_is_to_be_rejected_and_loaded_is_counted_exactly() -> None:
    mixed = mix_in(FILE)
    assert (mixed.rejected, mixed.loadable, mixed.views) == (15, 5, 15)
    assert mixed.rejected + mixed.loadable == len(BAD_LINES)


def test_each_loadable_line_ends_in_its_views_and_is_utf8() -> None:
    for bad in BAD_LINES:
        if bad.views is not None:
            assert bad.line.decode().rsplit(" ", 2)[1:] == [str(bad.views), "0"]


def test_each_bad_line_is_one_line_and_told_apart_by_what_is_wrong() -> None:
    assert not any(b"\n" in bad.line for bad in BAD_LINES)
    assert len({bad.what for bad in BAD_LINES}) == len({bad.line for bad in BAD_LINES}) == len(BAD_LINES)
