{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='date_day',
    )
}}

{%- set unseen_views = unseen_page_hour_views() %}
{%- set top_pages = var('top_pages') %}

with days as (

    select
        date_day,
        hours_present
    from {{ ref('dim_date') }}
    where {{ rebuilt_days_filter() }}

),

projects as (

    select distinct
        cast(hour_started_at as date) as date_day,
        project
    from {{ ref('traffic_hourly') }}
    where {{ rebuilt_days_hours_filter() }}

),

-- The most that an article can have had in an hour in which it was left out: no more than the last of the top pages,
-- and nothing where there were fewer articles than top pages.
unseen_by_hour as (

    select
        cast(hour_started_at as date) as date_day,
        project,
        -- The engines disagree on the least of a number and null.
        least(
            coalesce(max(case when article_rank = {{ top_pages }} then view_count end), 0), {{ unseen_views }}
        ) as view_count
    from {{ ref('page_views_hourly') }}
    where {{ rebuilt_days_hours_filter() }}
    group by hour_started_at, project

),

unseen as (

    select
        date_day,
        project,
        sum(view_count) as view_count
    from unseen_by_hour
    group by date_day, project

),

-- Hours that are in page_views_hourly, for any project; of the others nothing is known but that a page was left out.
kept_hours as (

    select
        cast(hour_started_at as date) as date_day,
        count(distinct hour_started_at) as hour_count
    from {{ ref('page_views_hourly') }}
    where {{ rebuilt_days_hours_filter() }}
    group by cast(hour_started_at as date)

),

article_positions as (

    select
        date_day,
        project,
        view_count,
        row_number() over (partition by date_day, project order by view_count desc) as position
    from {{ ref('int_seen_page_days') }}
    where {{ rebuilt_days_filter() }} and is_article

),

last_top as (

    select
        date_day,
        project,
        view_count
    from article_positions
    where position = {{ top_pages }}

),

final as (

    select
        projects.date_day,
        projects.project,
        cast(coalesce(last_top.view_count, 0) as bigint) as last_top_views,
        cast(
            coalesce(unseen.view_count, 0)
            + {{ unseen_views }} * (days.hours_present - coalesce(kept_hours.hour_count, 0))
            as bigint
        ) as unseen_views
    from projects
    inner join days on projects.date_day = days.date_day
    left join kept_hours on projects.date_day = kept_hours.date_day
    left join unseen on projects.date_day = unseen.date_day and projects.project = unseen.project
    left join last_top on projects.date_day = last_top.date_day and projects.project = last_top.project

)

select * from final
