{% macro claim_hours() %}
    {#- On run start: makes the given hours this run's own, or stops the run before any model.
        1. The fence of each hour rises to the given number; a higher one there means that another process took over.
        2. The given generation must be the newest in the ledger, and the raw table must hold all of its rows.
        Raises a compiler error that begins with `lease lost`, `superseded` or `input gone` and names the hours. -#}
    {%- if execute and flags.WHICH in ['build', 'run'] and given_hours() -%}
        {%- do raise_fences() -%}
        {%- do check_inputs() -%}
    {%- endif -%}
{% endmacro %}


{% macro raise_fences() %}
    {%- for given in given_hours() -%}
        {%- do run_query("
            update " ~ source('wikimedia', 'pageviews_fence') ~ " set fence = " ~ given.fence ~ "
            where stage = 'transformed' and hour_started_at = timestamp '" ~ given.hour ~ "'
              and fence <= " ~ given.fence) -%}
    {%- endfor -%}
    {%- set held = run_query("
        select left(cast(hour_started_at as varchar), 19) from " ~ source('wikimedia', 'pageviews_fence') ~ "
        where " ~ own_fences_filter()).columns[0].values() -%}
    {%- set lost = [] -%}
    {%- for given in given_hours() if given.hour not in held -%}
        {%- do lost.append(given.hour) -%}
    {%- endfor -%}
    {%- if lost -%}
        {{ exceptions.raise_compiler_error("lease lost: another process took over " ~ lost | join(', ')) }}
    {%- endif -%}
{% endmacro %}


{% macro own_fences_filter() %}
    {#- A condition true for the fence rows that this run holds. -#}
    stage = 'transformed' and (
    {%- for given in given_hours() -%}
        (hour_started_at = timestamp '{{ given.hour }}' and fence = {{ given.fence }}){{ ' or ' if not loop.last }}
    {%- endfor -%}
    )
{% endmacro %}


{% macro check_inputs() %}
    {%- set ledger = source('wikimedia', 'pageviews_ledger') -%}
    {%- set raw = source('wikimedia', 'raw_pageviews') -%}
    {%- set newest = {} -%}
    {%- for row in run_query("
        select left(cast(hour_started_at as varchar), 19), generation, row_count from " ~ ledger ~ "
        where " ~ given_hours_filter() ~ " order by hour_started_at, generation") -%}
        {%- do newest.update({row[0]: row}) -%}
    {%- endfor -%}
    {%- set found = {} -%}
    {%- for row in run_query("
        select left(cast(hour_started_at as varchar), 19), count(*) from " ~ raw ~ "
        where " ~ given_generations_filter() ~ " group by hour_started_at") -%}
        {%- do found.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {%- for given in given_hours() -%}
        {%- set entry = newest.get(given.hour) -%}
        {%- if entry is none -%}
            {{ exceptions.raise_compiler_error("input gone: the ledger has no hour " ~ given.hour) }}
        {%- elif entry[1] != given.generation -%}
            {{ exceptions.raise_compiler_error(
                "superseded: hour " ~ given.hour ~ " was given as generation " ~ given.generation
                ~ ", the ledger's newest is " ~ entry[1]) }}
        {%- elif found.get(given.hour, 0) != entry[2] -%}
            {{ exceptions.raise_compiler_error(
                "input gone: hour " ~ given.hour ~ " has " ~ found.get(given.hour, 0)
                ~ " raw rows of generation " ~ given.generation ~ ", the ledger says " ~ entry[2]) }}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
