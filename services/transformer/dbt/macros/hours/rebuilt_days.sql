{% macro rebuilt_days() %}
    {#- The days (a list of 'YYYY-MM-DD', UTC) that this run builds: those that are over and that a given hour changes.
        A day is over once its last hour, or any later one, is there. Besides the given hours' own days that is the
        day of the hour that stood last before a given one, if it ended early: its last hours may never come. -#}
    {%- set hours = ref('dim_hour') -%}
    {%- if not execute or not given_hours() -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set days = run_query("
        with given as (
            select hour_started_at from " ~ hours ~ " where " ~ given_hours_filter() ~ "
        ),
        previous as (
            select max(hours.hour_started_at) as hour_started_at
            from given
            inner join " ~ hours ~ " as hours on given.hour_started_at > hours.hour_started_at
            group by given.hour_started_at
        ),
        touched as (
            select cast(hour_started_at as date) as date_day from given
            union
            select cast(hour_started_at as date) from previous where extract(hour from hour_started_at) < 23
        )
        select distinct cast(touched.date_day as varchar) as date_day
        from touched
        inner join " ~ hours ~ " as hours on touched.date_day + interval '23 hours' <= hours.hour_started_at
        order by 1
    ") -%}
    {{ return(days.columns[0].values() | list) }}
{% endmacro %}


{% macro rebuilt_days_filter(column='date_day') %}
    {#- A condition true for the days that this run builds alone, and for none when it builds none. -#}
    {%- set days = rebuilt_days() -%}
    {%- if not days -%}
        false
    {%- else -%}
        {{ column }} in ({% for day in days %}date '{{ day }}'{{ ', ' if not loop.last }}{% endfor %})
    {%- endif -%}
{% endmacro %}


{% macro rebuilt_days_hours_filter(column='hour_started_at') %}
    {#- As rebuilt_days_filter, for a column of hours: spelt as ranges, so that blocks of other days are skipped. -#}
    {%- set days = rebuilt_days() -%}
    {%- if not days -%}
        false
    {%- else -%}
        (
        {%- for day in days %}
            ({{ column }} >= timestamp '{{ day }} 00:00:00'
            and {{ column }} < timestamp '{{ day }} 00:00:00' + interval '1 day')
            {{ 'or' if not loop.last }}
        {%- endfor -%}
        )
    {%- endif -%}
{% endmacro %}
