{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='hour_started_at',
        cluster_by=['hour_started_at'],
    )
}}

{%- set kept_views = var('kept_page_hour_views') %}
{%- set top_pages = var('top_pages') %}

-- A page's views are the sum over its accesses, of which a project has `code_count`, so a page with n views has a row
-- with at least n / code_count. Only pages with such a row are summed: a quarter of all, and none that is kept is lost.
-- (Staging is read again for each step: DuckDB would write a CTE that is read twice to disk, text and all.)
with code_counts as (

    select
        project,
        count(*) as code_count
    from {{ ref('dim_wikipedia_domain') }}
    group by project

),

-- How many rows of articles have so many views or more, up to the number at which a page is kept in any case.
histogram as (

    select
        hour_started_at,
        project,
        least(view_count, {{ kept_views }}) as views,
        count(*) as row_count
    from {{ ref('stg_wikipedia_pageviews') }}
    where {{ given_hours_filter() }} and page_kind = 'article'
    group by hour_started_at, project, least(view_count, {{ kept_views }})

),

cumulated as (

    select
        hour_started_at,
        project,
        views,
        sum(row_count) over (partition by hour_started_at, project order by views desc) as row_count
    from histogram

),

-- Among (top pages x code_count) rows there are that many pages at least, so the last of the top pages has at least
-- `last_top_views`. Where that is as much as is kept in any case, the top pages need no search of their own.
projects as (

    select
        cumulated.hour_started_at,
        cumulated.project,
        max(code_counts.code_count) as code_count,
        coalesce(
            max(case when cumulated.row_count >= {{ top_pages }} * code_counts.code_count then cumulated.views end), 1
        ) as last_top_views
    from cumulated
    inner join code_counts on cumulated.project = code_counts.project
    group by cumulated.hour_started_at, cumulated.project

),

candidates as (

    select distinct
        staged.hour_started_at,
        staged.page_key
    from {{ ref('stg_wikipedia_pageviews') }} as staged
    left join projects
        on staged.hour_started_at = projects.hour_started_at and staged.project = projects.project
    where
        {{ given_hours_filter('staged.hour_started_at') }}
        -- A project without articles in the hour has no bound.
        and coalesce(staged.view_count * projects.code_count >= projects.last_top_views, true)

),

totals as (

    select
        staged.hour_started_at,
        staged.page_key,
        sum(staged.view_count) as view_count,
        min({{ row_tag('staged') }}) as row_tag
    from {{ ref('stg_wikipedia_pageviews') }} as staged
    inner join candidates
        on staged.hour_started_at = candidates.hour_started_at and staged.page_key = candidates.page_key
    left join projects
        on staged.hour_started_at = projects.hour_started_at and staged.project = projects.project
    where {{ given_hours_filter('staged.hour_started_at') }}
    group by staged.hour_started_at, staged.page_key
    having
        sum(staged.view_count) >= {{ kept_views }}
        or max(projects.last_top_views) < {{ kept_views }}

),

named as (

    select
        staged.hour_started_at,
        staged.project,
        staged.page_title,
        staged.page_kind,
        staged.page_key,
        totals.view_count
    from totals
    inner join {{ ref('stg_wikipedia_pageviews') }} as staged
        on totals.hour_started_at = staged.hour_started_at
        and totals.page_key = staged.page_key
        and totals.row_tag = {{ row_tag('staged') }}
    where {{ given_hours_filter('staged.hour_started_at') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by hour_started_at, project, page_kind = 'article'
            order by view_count desc, page_title asc
        ) as position
    from named

),

final as (

    select
        hour_started_at,
        page_key,
        project,
        page_title,
        page_kind,
        cast(view_count as bigint) as view_count,
        cast(case when page_kind = 'article' then position end as integer) as article_rank,
        page_kind = 'article' as is_article
    from ranked
    where view_count >= {{ kept_views }} or (page_kind = 'article' and position <= {{ top_pages }})

)

select * from final
order by hour_started_at, page_key
