import gzip
from pathlib import Path

import pytest
from tests.tools import cut_excerpt
from tests.tools.cut_excerpt import SHARES, TITLE_CLASSES, Share, classes_of, cut
from tests.tools.excerpt import EXCERPT_FILE, excerpt_rows

MOST_BYTES = 1_500_000


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (b'"Awaken,_My_Love!"', {"begins with a quote", "quoted at both ends, as only Hive writes it"}),
        (b'"Weird_Al"_X', {"begins with a quote"}),
        (b'The_"A"', {"quote inside"}),
        (rb"TBWA\Chiat\Day", {"backslash"}),
        ("a\u00a0b".encode(), {"no-break space"}),
        ("a\u2028b".encode(), {"line separators of Unicode"}),
        ("\U0001f600".encode(), {"beyond the basic plane"}),
        ("\ufffd".encode(), {"replacement character"}),
        (b"Venom_%282018_film%29", {"still percent-encoded"}),
        (b"-", {"unknown page"}),
        (b"x" * 698, {"very long"}),
        (b"100%_of-it", set()),
    ],
)
def test_a_title_is_known_by_what_makes_it_hard_to_read(title: bytes, expected: set[str]) -> None:
    assert set(classes_of(title)) == expected


def test_a_domain_keeps_its_most_viewed_pages_in_the_order_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHARES, "de", Share(top=3, tail=0))
    lines = [b"de %c %d 0\n" % (letter, views) for letter, views in zip(b"ABCDEF", [9, 1, 7, 2, 8, 3], strict=True)]
    assert cut(lines) == [lines[0], lines[2], lines[4]]


def test_every_other_domain_keeps_two_pages_and_each_hard_title() -> None:
    lines = [b"qq A 5 0\n", b"qq B 1 0\n", b"qq C 9 0\n", b"qq D\\E 1 0\n"]
    assert cut(lines) == [lines[0], lines[2], lines[3]]


def test_a_tail_is_kept_by_chance_but_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHARES, "de", Share(top=0, tail=0.1))
    lines = [b"de Page_%d 1 0\n" % number for number in range(2_000)]
    kept = cut(lines)
    assert 100 < len(kept) < 300
    assert cut(lines) == kept


def test_the_command_writes_the_same_bytes_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, targets = tmp_path / "source.gz", [tmp_path / "first.gz", tmp_path / "second.gz"]
    source.write_bytes(gzip.compress(b"aa A 1 0\naa B 2 0\n"))
    for target in targets:
        monkeypatch.setattr("sys.argv", ["cut_excerpt", str(source), str(target)])
        cut_excerpt.main()
    assert gzip.decompress(targets[0].read_bytes()) == b"aa A 1 0\naa B 2 0\n"
    assert targets[0].read_bytes() == targets[1].read_bytes()


def test_the_bundled_excerpt_is_small_and_holds_every_class_of_hard_title() -> None:
    titles = [row.page_title for row in excerpt_rows()]
    seen = {name for title in titles for name in classes_of(title)}
    # The real hour has none of these; the bad lines of `bad_lines.py` do.
    assert seen == set(TITLE_CLASSES) - {"line separators of Unicode"}
    assert max(map(len, titles)) == 698
    assert EXCERPT_FILE.stat().st_size <= MOST_BYTES
