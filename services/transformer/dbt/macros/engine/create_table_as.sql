{% macro duckdb__create_table_as(
    temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none
) %}
    {#- dbt-duckdb copies an incremental model's new rows into a temporary table first: for an hour of pageviews as
        dear as the insert itself. With `tmp_relation_type: view` (dbt-snowflake's own name for this) the step is a
        view, and the strategy's insert reads the model directly. -#}
    {%- if temporary and language == 'sql' and config.get('tmp_relation_type') == 'view' -%}
        {%- if config.get('contract').enforced -%}{{ get_assert_columns_equivalent(compiled_code) }}{%- endif %}
        create temporary view {{ relation.include(database=false, schema=false) }} as (
            {{ compiled_code }}
        );
    {%- else -%}
        {{ dbt.duckdb__create_table_as(temporary, relation, compiled_code, language, partitioned_by, sorted_by) }}
    {%- endif -%}
{% endmacro %}
