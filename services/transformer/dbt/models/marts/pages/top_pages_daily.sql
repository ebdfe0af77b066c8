{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='date_day',
    )
}}

select
    date_day,
    page_key,
    project,
    page_title,
    article_rank as page_rank,
    view_count,
    hours_present
from {{ ref('page_views_daily') }}
where {{ rebuilt_days_filter() }} and article_rank <= {{ var('top_pages') }}
