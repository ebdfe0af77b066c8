{% test unique_in_run(model, columns, scope='hours') %}
    {#- Among the rows of this run (`scope`: the given `hours`, or the `days` that it builds) no two agree in all the
        columns. The whole table would take minutes, and its other rows were looked at when they came. -#}
    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    where {{ rebuilt_days_filter() if scope == 'days' else given_hours_filter() }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
