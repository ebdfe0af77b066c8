{% macro unseen_page_hour_views() %}
    {#- The most views of a page in an hour in which page_views_hourly leaves it out. Raises if a page-day that is kept
        could be made of such hours alone: page_views_daily would not find it. -#}
    {%- set unseen = var('kept_page_hour_views') - 1 -%}
    {%- if 24 * unseen >= var('kept_page_day_views') -%}
        {{ exceptions.raise_compiler_error(
            "vars: 24 hours of one view less than kept_page_hour_views must stay below kept_page_day_views") }}
    {%- endif -%}
    {{ return(unseen) }}
{% endmacro %}
