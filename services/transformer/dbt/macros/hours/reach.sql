{% macro around_given_hours(before, after, column='hour_started_at') %}
    {#- A condition true for the hours from `before` hours before to `after` hours after any given one. -#}
    {%- if not given_hours() -%}
        false
    {%- else -%}
        (
        {%- for given in given_hours() %}
            {{ column }} between timestamp '{{ given.hour }}' - interval '{{ before }} hours'
            and timestamp '{{ given.hour }}' + interval '{{ after }} hours'
            {{ 'or' if not loop.last }}
        {%- endfor -%}
        )
    {%- endif -%}
{% endmacro %}


{% macro around_rebuilt_days(before, after, column='date_day') %}
    {#- A condition true for the days from `before` days before to `after` days after any that this run builds. -#}
    {%- set days = rebuilt_days() -%}
    {%- if not days -%}
        false
    {%- else -%}
        (
        {%- for day in days %}
            {{ column }} between date '{{ day }}' - interval '{{ before }} days'
            and date '{{ day }}' + interval '{{ after }} days'
            {{ 'or' if not loop.last }}
        {%- endfor -%}
        )
    {%- endif -%}
{% endmacro %}


{% macro replaced_filter(unique_key) %}
    {#- What the strategy replaces. A model whose rows also depend on earlier hours (days) names in `meta.reach` the var
        that says how many: then the ones that follow are judged anew as well, so that a late hour reaches them. -#}
    {%- set reach = config.get('meta', {}).get('reach') -%}
    {%- set after = var(reach) if reach else 0 -%}
    {%- if unique_key == 'date_day' -%}
        {{ around_rebuilt_days(0, after) if after else rebuilt_days_filter() }}
    {%- else -%}
        {{ around_given_hours(0, after) if after else given_hours_filter() }}
    {%- endif -%}
{% endmacro %}
