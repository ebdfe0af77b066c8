{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='hour_started_at',
    )
}}

select
    hour_started_at,
    page_key,
    project,
    page_title,
    article_rank as page_rank,
    view_count
from {{ ref('page_views_hourly') }}
where {{ given_hours_filter() }} and article_rank <= {{ var('top_pages') }}
