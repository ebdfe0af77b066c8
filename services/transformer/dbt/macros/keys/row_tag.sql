{% macro row_tag(alias) %}
    {#- An integer that tells the rows of one page apart (a page has one for each hour and access), so that one of them
        can be chosen with `min`, without a string in the group by. -#}
    hash({{ alias }}.hour_started_at, {{ alias }}.domain_code)
{%- endmacro %}
