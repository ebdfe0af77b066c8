{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='date_day',
    )
}}

{%- set kept_views = var('kept_page_day_views') %}
{%- set unseen_views = unseen_page_hour_views() %}
{%- set top_pages = var('top_pages') %}

-- Exact sums, without summing every page of the day. page_views_hourly bounds what it leaves out: a page that is not in
-- it has, in that hour, fewer views than are kept, and an article no more than the last of its project's top pages.
-- Pages that these bounds rule out are left aside; all others are summed from the facts.
-- (The big tables are read again for each step: DuckDB would write a CTE that is read twice to disk.)
with days as (

    select
        date_day,
        hours_present
    from {{ ref('dim_date') }}
    where {{ rebuilt_days_filter() }}

),

-- Hours that page_views_hourly holds no more (it is kept for days, the facts for as long as anyone likes).
retired_hours as (

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

retired_page_hours as (

    select
        totals.date_day,
        totals.hour_started_at,
        totals.page_key,
        pages.project,
        totals.view_count,
        pages.is_article
    from (
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
    ) as totals
    inner join {{ ref('dim_wikipedia_page') }} as pages on totals.page_key = pages.page_key

),

page_hours as (

    select
        cast(hour_started_at as date) as date_day,
        page_key,
        project,
        view_count,
        is_article
    from {{ ref('page_views_hourly') }}
    where {{ rebuilt_days_hours_filter() }}
    union all
    select
        date_day,
        page_key,
        project,
        view_count,
        is_article
    from retired_page_hours

),

seen as (

    select
        date_day,
        page_key,
        min(project) as project,
        sum(view_count) as view_count,
        count(*) as hour_count,
        max(case when is_article then 1 else 0 end) = 1 as is_article
    from page_hours
    group by date_day, page_key

),

-- The most that an article can have had in the hours in which it was left out: nothing in an hour with fewer articles
-- than top pages.
unseen_by_hour as (

    select
        cast(hour_started_at as date) as date_day,
        project,
        coalesce(
            least(max(case when article_rank = {{ top_pages }} then view_count end), {{ unseen_views }}), 0
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

retired_hour_counts as (

    select
        date_day,
        count(*) as hour_count
    from retired_hours
    group by date_day

),

article_positions as (

    select
        date_day,
        project,
        view_count,
        row_number() over (partition by date_day, project order by view_count desc) as position
    from seen
    where is_article

),

-- What the last of the day's top articles has at the least: its views in the hours in which it was seen.
last_top as (

    select
        date_day,
        project,
        max(case when position = {{ top_pages }} then view_count end) as view_count
    from article_positions
    group by date_day, project

),

all_projects as (

    select distinct
        cast(hour_started_at as date) as date_day,
        project
    from {{ ref('traffic_hourly') }}
    where {{ rebuilt_days_hours_filter() }}

),

projects as (

    select
        all_projects.date_day,
        all_projects.project,
        coalesce(last_top.view_count, 0) as last_top_views,
        coalesce(unseen.view_count, 0)
        + {{ unseen_views }} * coalesce(retired_hour_counts.hour_count, 0) as unseen_views
    from all_projects
    left join unseen on all_projects.date_day = unseen.date_day and all_projects.project = unseen.project
    left join last_top on all_projects.date_day = last_top.date_day and all_projects.project = last_top.project
    left join retired_hour_counts on all_projects.date_day = retired_hour_counts.date_day

),

seen_candidates as (

    select
        seen.date_day,
        seen.page_key
    from seen
    inner join days on seen.date_day = days.date_day
    inner join projects on seen.date_day = projects.date_day and seen.project = projects.project
    where
        seen.view_count + {{ unseen_views }} * (days.hours_present - seen.hour_count) >= {{ kept_views }}
        or (seen.is_article and seen.view_count + projects.unseen_views >= projects.last_top_views)

),

-- Small projects, whose top articles of the day may never have been among those of an hour: all of their pages.
hidden_candidates as (

    select distinct
        projects.date_day,
        facts.page_key
    from {{ ref('fct_wikipedia_pageviews') }} as facts
    inner join {{ ref('dim_wikipedia_domain') }} as domains on facts.domain_code = domains.domain_code
    inner join projects
        on cast(facts.hour_started_at as date) = projects.date_day and domains.project = projects.project
    where
        {{ rebuilt_days_hours_filter('facts.hour_started_at') }}
        and projects.unseen_views > 0
        and projects.unseen_views >= projects.last_top_views

),

candidates as (

    select
        date_day,
        page_key
    from seen_candidates
    union
    select
        date_day,
        page_key
    from hidden_candidates

),

totals as (

    select
        candidates.date_day,
        facts.page_key,
        sum(facts.view_count) as view_count
    from {{ ref('fct_wikipedia_pageviews') }} as facts
    inner join candidates
        on cast(facts.hour_started_at as date) = candidates.date_day and facts.page_key = candidates.page_key
    where {{ rebuilt_days_hours_filter('facts.hour_started_at') }}
    group by candidates.date_day, facts.page_key

),

named as (

    select
        totals.date_day,
        totals.page_key,
        pages.project,
        pages.page_title,
        pages.page_kind,
        pages.is_article,
        totals.view_count
    from totals
    inner join {{ ref('dim_wikipedia_page') }} as pages on totals.page_key = pages.page_key

),

ranked as (

    select
        *,
        row_number() over (
            partition by date_day, project, is_article
            order by view_count desc, page_title asc
        ) as position
    from named

),

final as (

    select
        ranked.date_day,
        ranked.page_key,
        ranked.project,
        ranked.page_title,
        ranked.page_kind,
        cast(ranked.view_count as bigint) as view_count,
        cast(case when ranked.is_article then ranked.position end as integer) as article_rank,
        days.hours_present,
        ranked.is_article
    from ranked
    inner join days on ranked.date_day = days.date_day
    where
        ranked.view_count >= {{ kept_views }}
        or (ranked.is_article and ranked.position <= {{ top_pages }})

)

select * from final
order by date_day, page_key
