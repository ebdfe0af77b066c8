{% macro stored(model) %}
    {#- A ref() for use inside views, without the database: DuckDB's database is named after its file, and a view that
        named it would break when the file is opened by another name. -#}
    {{ return(ref(model).include(database=(target.type != 'duckdb'))) }}
{% endmacro %}
