{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='hour_started_at',
        cluster_by=['hour_started_at'],
    )
}}

-- Sorted by page within the hour: the series of one article then reads a block or two of each hour, not all of it.
select
    hour_started_at,
    generation,
    domain_code,
    page_key,
    view_count
from {{ ref('stg_wikipedia_pageviews') }}
where {{ given_hours_filter() }}
order by {{ 'hour_started_at, ' if given_hours() | length > 1 }}page_key
