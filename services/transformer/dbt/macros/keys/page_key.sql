{% macro page_key(project='project', page_title='page_title') %}
    {#- The lower 64 bits of the MD5 of a page's project, a space and its title (UTF-8), as an unsigned integer. No
        project has a space in its name, so no two pages give one text. -#}
    {{ return(adapter.dispatch('page_key')(project ~ " || ' ' || " ~ page_title)) }}
{% endmacro %}


{% macro page_key_check(project='project', page_title='page_title') %}
    {#- The upper 64 bits of the same MD5: two pages that share a key differ here. -#}
    {{ return(adapter.dispatch('page_key_check')(project ~ " || ' ' || " ~ page_title)) }}
{% endmacro %}


{% macro duckdb__page_key(text) %}cast('0x' || right(md5({{ text }}), 16) as ubigint){% endmacro %}


{% macro duckdb__page_key_check(text) %}cast('0x' || left(md5({{ text }}), 16) as ubigint){% endmacro %}


{% macro snowflake__page_key(text) %}md5_number_lower64({{ text }}){% endmacro %}


{% macro snowflake__page_key_check(text) %}md5_number_upper64({{ text }}){% endmacro %}
