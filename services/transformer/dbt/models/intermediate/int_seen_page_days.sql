{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='date_day',
    )
}}

{%- set unseen_views = unseen_page_hour_views() %}

-- Hours that page_views_hourly holds no more: it is kept for days, the facts for as long as anyone likes.
with retired_hours as (

    select
        date_day,
        hour_started_at
    from {{ ref('dim_hour') }}
    where
        {{ rebuilt_days_filter() }}
        and hour_started_at not in (
            select kept.hour_started_at
            from {{ ref('page_views_hourly') }} as kept
            where {{ rebuilt_days_hours_filter('kept.hour_started_at') }}
        )

),

retired_totals as (

    select
        retired_hours.date_day,
        facts.hour_started_at,
        facts.page_key,
        sum(facts.view_count) as view_count
    from {{ ref('fct_wikipedia_pageviews') }} as facts
    inner join retired_hours on facts.hour_started_at = retired_hours.hour_started_at
    where {{ rebuilt_days_hours_filter('facts.hour_started_at') }}
    group by retired_hours.date_day, facts.hour_started_at, facts.page_key
    having sum(facts.view_count) > {{ unseen_views }}

),

page_hours as (

    select
        cast(hour_started_at as date) as date_day,
        page_key,
        project,
        is_article,
        view_count
    from {{ ref('page_views_hourly') }}
    where {{ rebuilt_days_hours_filter() }}
    union all
    select
        retired_totals.date_day,
        retired_totals.page_key,
        pages.project,
        pages.is_article,
        retired_totals.view_count
    from retired_totals
    inner join {{ ref('dim_wikipedia_page') }} as pages on retired_totals.page_key = pages.page_key

),

final as (

    select
        date_day,
        page_key,
        cast(sum(view_count) as bigint) as view_count,
        cast(count(*) as integer) as hour_count,
        min(project) as project,
        max(case when is_article then 1 else 0 end) = 1 as is_article
    from page_hours
    group by date_day, page_key

)

select * from final
