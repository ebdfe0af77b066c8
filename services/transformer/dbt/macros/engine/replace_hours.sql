{% macro get_incremental_replace_hours_sql(arguments) %}
    {#- The incremental strategy `replace_hours`: what the run is for is deleted, even when nothing replaces it, and the
        new rows are inserted, in one transaction that first makes sure of the fence. The model's `unique_key` names what
        is replaced: `hour_started_at` the given hours, `date_day` the days that the run builds; see replaced_filter. -#}
    {%- set target = arguments['target_relation'] -%}
    {%- set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) -%}
    {%- if not given_hours() -%}
        {{ return('select 1') }}
    {%- endif -%}
    {%- set statements %}
        {{ hold_fences() }};
        delete from {{ target }}
        where {{ replaced_filter(arguments['unique_key']) }};
        insert into {{ target }} ({{ columns }})
        select {{ columns }} from {{ arguments['temp_relation'] }};
    {% endset -%}
    {{ return(adapter.dispatch('in_one_transaction')(statements)) }}
{% endmacro %}


{% macro hold_fences() %}
    {#- Locks this run's fence rows by writing them, then fails the transaction (a cast that cannot be done: the one
        way that both engines know) unless all of them still carry this run's numbers. -#}
    {%- set fences = source('wikimedia', 'pageviews_fence') -%}
    update {{ fences }} set fence = fence where {{ own_fences_filter() }};
    select case
        when count(*) = {{ given_hours() | length }} then 1
        else cast('lease lost: fences held: ' || count(*) as integer)
    end
    from {{ fences }} where {{ own_fences_filter() }}
{% endmacro %}


{% macro default__in_one_transaction(statements) %}
    {#- dbt has begun a transaction before the statements and commits after them. -#}
    {{ return(statements) }}
{% endmacro %}


{% macro snowflake__in_one_transaction(statements) %}
    {#- dbt-snowflake commits each statement by itself unless told otherwise. -#}
    {{ return('begin; ' ~ statements ~ ' commit;') }}
{% endmacro %}
