{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='hour_started_at',
    )
}}

-- Built after the facts, so that an hour which is here has its facts: depends_on: {{ ref('fct_wikipedia_pageviews') }}
with given as (

    {% for given in given_hours() %}
    select timestamp '{{ given.hour }}' as hour_started_at
    {{ 'union all' if not loop.last }}
    {% else %}
    select cast(null as timestamp) as hour_started_at
    where false
    {% endfor %}

),

final as (

    select
        hour_started_at,
        cast(hour_started_at as date) as date_day,
        cast(extract(hour from hour_started_at) as integer) as hour_of_day,
        hour_started_at + interval '1 hour' as hour_ended_at
    from given

)

select * from final
