{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='date_day',
        meta={'reach': 'trending_day_baseline_days'},
    )
}}

{%- set baseline_days = var('trending_day_baseline_days') %}

with candidates as (

    select
        date_day,
        page_key,
        project,
        page_title,
        view_count,
        hours_present
    from {{ ref('page_views_daily') }}
    where
        {{ around_rebuilt_days(0, baseline_days) }}
        and is_article and view_count >= {{ var('trending_day_views') }}

),

-- The whole days of each baseline: a day with an hour missing is unknown, and left out.
baseline_days as (

    select
        rebuilt.date_day,
        days.date_day as baseline_day
    from (select distinct date_day from candidates) as rebuilt
    inner join {{ ref('dim_date') }} as days
        on rebuilt.date_day > days.date_day
        and days.date_day >= rebuilt.date_day - interval '{{ baseline_days }} days'
        and days.hours_present = 24

),

page_days as (

    select
        days.date_day,
        days.page_key,
        days.view_count
    from {{ ref('page_views_daily') }} as days
    where
        {{ around_rebuilt_days(baseline_days, baseline_days, 'days.date_day') }}
        and exists (
            select 1 from candidates
            where candidates.page_key = days.page_key
        )

),

-- A page that is not in page_views_daily had fewer views than are kept: it counts as the most it can have had, so that
-- a baseline is never too low. That cannot stop the rule, which asks for more than five times as much in any case.
baselines as (

    select
        candidates.date_day,
        candidates.page_key,
        median(coalesce(page_days.view_count, {{ var('kept_page_day_views') }} - 1)) as baseline_view_count,
        count(*) as baseline_day_count
    from candidates
    inner join baseline_days on candidates.date_day = baseline_days.date_day
    left join page_days
        on baseline_days.baseline_day = page_days.date_day
        and candidates.page_key = page_days.page_key
    group by candidates.date_day, candidates.page_key

),

final as (

    select
        candidates.date_day,
        candidates.page_key,
        candidates.project,
        candidates.page_title,
        candidates.view_count,
        cast(baselines.baseline_view_count as double) as baseline_view_count,
        cast(candidates.view_count / baselines.baseline_view_count as double) as ratio,
        cast(baselines.baseline_day_count as integer) as baseline_day_count,
        candidates.hours_present
    from candidates
    inner join baselines
        on candidates.date_day = baselines.date_day
        and candidates.page_key = baselines.page_key
    where
        baselines.baseline_day_count >= {{ var('trending_day_baseline_days_needed') }}
        and candidates.view_count >= {{ var('trending_day_ratio') }} * baselines.baseline_view_count
        and candidates.view_count >= baselines.baseline_view_count + {{ var('trending_day_rise') }}

)

select * from final
