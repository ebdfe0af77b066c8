{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='hour_started_at',
        meta={'reach': 'trending_hour_baseline_hours'},
    )
}}

{%- set baseline_hours = var('trending_hour_baseline_hours') %}

-- The given hours, and those whose baseline they are a part of.
with judged as (

    select hour_started_at
    from {{ ref('dim_hour') }}
    where {{ around_given_hours(0, baseline_hours) }}

),

candidates as (

    select
        hour_started_at,
        page_key,
        project,
        page_title,
        view_count
    from {{ ref('page_views_hourly') }}
    where
        {{ around_given_hours(0, baseline_hours) }}
        and is_article and view_count >= {{ var('trending_hour_views') }}

),

-- The hours of each baseline that are there: a missing one is unknown, and left out.
baseline_hours as (

    select
        judged.hour_started_at,
        hours.hour_started_at as baseline_hour
    from judged
    inner join {{ ref('dim_hour') }} as hours
        on judged.hour_started_at > hours.hour_started_at
        and hours.hour_started_at >= judged.hour_started_at - interval '{{ baseline_hours }} hours'

),

page_hours as (

    select
        pages.hour_started_at,
        pages.page_key,
        pages.view_count
    from {{ ref('page_views_hourly') }} as pages
    where
        {{ around_given_hours(baseline_hours, baseline_hours, 'pages.hour_started_at') }}
        and exists (
            select 1 from candidates
            where candidates.page_key = pages.page_key
        )

),

-- A page that is not in page_views_hourly had fewer views than are kept: it counts as the most it can have had, so that
-- a baseline is never too low.
baselines as (

    select
        candidates.hour_started_at,
        candidates.page_key,
        median(coalesce(page_hours.view_count, {{ unseen_page_hour_views() }})) as baseline_view_count,
        count(*) as baseline_hour_count
    from candidates
    inner join baseline_hours on candidates.hour_started_at = baseline_hours.hour_started_at
    left join page_hours
        on baseline_hours.baseline_hour = page_hours.hour_started_at
        and candidates.page_key = page_hours.page_key
    group by candidates.hour_started_at, candidates.page_key

),

final as (

    select
        candidates.hour_started_at,
        candidates.page_key,
        candidates.project,
        candidates.page_title,
        candidates.view_count,
        cast(baselines.baseline_view_count as double) as baseline_view_count,
        cast(candidates.view_count / baselines.baseline_view_count as double) as ratio,
        cast(baselines.baseline_hour_count as integer) as baseline_hour_count
    from candidates
    inner join baselines
        on candidates.hour_started_at = baselines.hour_started_at
        and candidates.page_key = baselines.page_key
    where
        baselines.baseline_hour_count >= {{ var('trending_hour_baseline_hours_needed') }}
        and candidates.view_count >= {{ var('trending_hour_ratio') }} * baselines.baseline_view_count
        and candidates.view_count >= baselines.baseline_view_count + {{ var('trending_hour_rise') }}

)

select * from final
