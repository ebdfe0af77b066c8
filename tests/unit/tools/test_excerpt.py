from tests.tools.excerpt import excerpt_rows


def test_the_excerpt_has_each_page_of_a_domain_once_and_domains_together() -> None:
    rows = excerpt_rows()
    assert 55_000 <= len(rows) <= 75_000
    assert len({(row.domain_code, row.page_title) for row in rows}) == len(rows)
    codes = [row.domain_code for row in rows]
    assert codes == sorted(codes)


def test_the_excerpt_has_every_domain_code_of_the_real_hour() -> None:
    codes = {row.domain_code for row in excerpt_rows()}
    assert len(codes) == 1_602
    assert {b"en", b"en.m", b"commons.m", b"commons.m.m", b"www.wd", b"nl.m", b"nl.m.m", b"en.zero", b"m.w"} <= codes


def test_the_excerpt_keeps_the_counts_of_the_source() -> None:
    views = {(row.domain_code, row.page_title): row.count_views for row in excerpt_rows()}
    assert views[b"en", b"Main_Page"] == 992_129
    assert views[b"en", b'"Awaken,_My_Love!"'] == 17
