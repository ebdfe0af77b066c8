{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='date_day',
    )
}}

-- Exact sums, without summing every page of the day: page_views_hourly bounds what a page that it leaves out can have
-- had, and int_page_day_candidates lists the pages that those bounds do not rule out.
with days as (

    select
        date_day,
        hours_present
    from {{ ref('dim_date') }}
    where {{ rebuilt_days_filter() }}

),

candidates as (

    select
        date_day,
        page_key
    from {{ ref('int_page_day_candidates') }}
    where {{ rebuilt_days_filter() }}

),

totals as (

    select
        candidates.date_day,
        facts.page_key,
        sum(facts.view_count) as view_count
    from {{ ref('fct_wikipedia_pageviews') }} as facts
    inner join candidates
        on facts.page_key = candidates.page_key and cast(facts.hour_started_at as date) = candidates.date_day
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
        ranked.view_count >= {{ var('kept_page_day_views') }}
        or (ranked.is_article and ranked.position <= {{ var('top_pages') }})

)

select * from final
order by date_day, page_key
