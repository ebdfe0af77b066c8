{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='date_day',
    )
}}

with days as (

    select
        date_day,
        hours_present
    from {{ ref('dim_date') }}
    where {{ rebuilt_days_filter() }}

),

projects as (

    select
        date_day,
        project,
        last_top_views,
        unseen_views
    from {{ ref('int_project_days') }}
    where {{ rebuilt_days_filter() }}

),

seen_candidates as (

    select
        seen.date_day,
        seen.page_key
    from {{ ref('int_seen_page_days') }} as seen
    inner join days on seen.date_day = days.date_day
    inner join projects on seen.date_day = projects.date_day and seen.project = projects.project
    where
        {{ rebuilt_days_filter('seen.date_day') }}
        and (
            seen.view_count + {{ unseen_page_hour_views() }} * (days.hours_present - seen.hour_count)
            >= {{ var('kept_page_day_views') }}
            or (seen.is_article and seen.view_count + projects.unseen_views >= projects.last_top_views)
        )

),

-- Small projects, whose top articles of the day may never have been among those of an hour: all of their pages.
hidden_codes as (

    select
        projects.date_day,
        domains.domain_code
    from projects
    inner join {{ ref('dim_wikipedia_domain') }} as domains on projects.project = domains.project
    where projects.unseen_views > 0 and projects.unseen_views >= projects.last_top_views

),

hidden_candidates as (

    select distinct
        hidden_codes.date_day,
        facts.page_key
    from {{ ref('fct_wikipedia_pageviews') }} as facts
    inner join hidden_codes
        on facts.domain_code = hidden_codes.domain_code
        and cast(facts.hour_started_at as date) = hidden_codes.date_day
    where {{ rebuilt_days_hours_filter('facts.hour_started_at') }}

),

final as (

    select
        date_day,
        page_key
    from seen_candidates
    union
    select
        date_day,
        page_key
    from hidden_candidates

)

select * from final
