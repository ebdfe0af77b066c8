"""The rules of `dialect` in DuckDB's SQL, for the lines that its CSV reader hands over unharmed.

Those are lines of valid UTF-8 without CR, NUL or DELIMITER, at most LONGEST_LINE bytes long:
`unpack` sets others apart.
"""

from __future__ import annotations

from pathlib import Path

from pageviews_core.decoding.dialect import GREATEST_COUNT

DELIMITER = b"\x1f"
"""Tells the CSV reader that a line is one column: a line that holds it is set apart."""

_WELL_QUOTED = r"""'"(?:[^"\\]|\\["\\])*"'"""
_NEEDS_QUOTES = r"""'^"(?:.*(?:\\"| ).*|[\x01-\x20].*|.*[\x01-\x20]|)"$'"""
_ESCAPED = r"""'\\(["\\])'"""


def file_literal(path: Path) -> str:
    """The path as an SQL string that names this one file, whatever characters it has: readers take it for a glob."""
    return _quoted("".join(f"[{char}]" if char in "*?[" else char for char in str(path)))


def target_literal(path: Path) -> str:
    """The path as an SQL string, for writing."""
    return _quoted(str(path))


def decoded_lines(text: Path) -> str:
    """A query: domain_code, page_title, count_views of every line of the file, in its order.

    count_views is null where the line is to be rejected (and the other two then mean nothing). No WHERE: a filter would
    be pushed below the split, which DuckDB would then work out twice.
    """
    lines = f"""
        from read_csv({file_literal(text)}, columns = {{'line': 'varchar'}}, delim = chr({DELIMITER[0]}),
            quote = '', escape = '', comment = '', nullstr = '', header = false, auto_detect = false, new_line = '\\n')
    """
    split = f"from (select string_split(line, ' ') as parts {lines})"
    fields = f"""
        from (select
            parts[1] as domain_code,
            case when len(parts) = 4 then parts[2] else array_to_string(parts[2:-3], ' ') end as page_title,
            parts[-2] as views_text,
            try_cast(parts[-2] as bigint) as views,
            parts[-1] as size_text,
            len(parts) >= 4 and not starts_with(parts[1], chr(65279)) as has_fields
            {split})
    """
    return f"""
        select
            {_unquoted("domain_code")} as domain_code,
            {_unquoted("page_title")} as page_title,
            case when has_fields and views >= 0 and views::varchar = views_text and {_is_number("size_text")}
                then views end as count_views
        {fields}
    """


def decoded_hexadecimal(rows: Path) -> str:
    """A query with the same columns over `domain title views` lines whose texts are in hexadecimal."""
    return f"""
        select decode(unhex(domain_code)) as domain_code, decode(unhex(page_title)) as page_title, count_views
        from read_csv({file_literal(rows)}, delim = ' ', quote = '', escape = '', comment = '', nullstr = '-',
            columns = {{'domain_code': 'varchar', 'page_title': 'varchar', 'count_views': 'bigint'}},
            header = false, auto_detect = false, new_line = '\\n')
    """


def _unquoted(field: str) -> str:
    inside = f"substr({field}, 2, length({field}) - 2)"
    return f"""
        case when starts_with({field}, '"') and regexp_full_match({field}, {_WELL_QUOTED})
                and regexp_matches({field}, {_NEEDS_QUOTES})
            then regexp_replace({inside}, {_ESCAPED}, '\\1', 'g') else {field} end
    """


def _is_number(text: str) -> str:
    """Nearly always it is 0, which is the cheap question."""
    number = f"try_cast({text} as hugeint)"
    return f"({text} = '0' or ({number} between 0 and {GREATEST_COUNT} and {number}::varchar = {text}))"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
