{% macro given_hours() %}
    {#- The hours of this run: a list of {hour: 'YYYY-MM-DD HH:00:00', generation: int, fence: int}, oldest first.
        Raises on anything that is not an hour, since the text goes into SQL. -#}
    {%- set hours = [] -%}
    {%- for given in var('hours', []) | sort(attribute='hour') -%}
        {%- if not modules.re.fullmatch('[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}', given['hour']) -%}
            {{ exceptions.raise_compiler_error("vars.hours: not an hour (YYYY-MM-DDTHH, UTC): " ~ given['hour']) }}
        {%- endif -%}
        {%- do hours.append({
            'hour': given['hour'] | replace('T', ' ') ~ ':00:00',
            'generation': given['generation'] | int,
            'fence': given['fence'] | int,
        }) -%}
    {%- endfor -%}
    {{ return(hours) }}
{% endmacro %}


{% macro given_hours_filter(column='hour_started_at') %}
    {#- A condition true for the given hours alone, and for none when none are given. The bounds beside the list let
        both engines skip every block of other hours. -#}
    {%- set hours = given_hours() -%}
    {%- if not hours -%}
        false
    {%- elif hours | length == 1 -%}
        {{ column }} = timestamp '{{ hours[0].hour }}'
    {%- else -%}
        {{ column }} between timestamp '{{ hours[0].hour }}' and timestamp '{{ hours[-1].hour }}'
        and {{ column }} in (
            {%- for given in hours %}timestamp '{{ given.hour }}'{{ ', ' if not loop.last }}{% endfor -%}
        )
    {%- endif -%}
{% endmacro %}


{% macro given_generations_filter(hour_column='hour_started_at', generation_column='generation') %}
    {#- As given_hours_filter, and of each hour only the given generation. -#}
    {%- set hours = given_hours() -%}
    {{ given_hours_filter(hour_column) }}
    {%- if hours %}
    and {{ generation_column }} = case {{ hour_column }}
        {%- for given in hours %} when timestamp '{{ given.hour }}' then {{ given.generation }}{% endfor %} end
    {%- endif -%}
{% endmacro %}
