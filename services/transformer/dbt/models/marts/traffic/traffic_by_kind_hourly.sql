{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='hour_started_at',
    )
}}

with by_code as (

    select
        hour_started_at,
        domain_code,
        page_kind,
        sum(view_count) as view_count,
        count(*) as row_count
    from {{ ref('stg_wikipedia_pageviews') }}
    where {{ given_hours_filter() }}
    group by hour_started_at, domain_code, page_kind

),

domains as (

    select
        domain_code,
        project,
        access
    from {{ ref('dim_wikipedia_domain') }}

),

final as (

    select
        by_code.hour_started_at,
        domains.project,
        domains.access,
        by_code.page_kind,
        cast(sum(by_code.view_count) as bigint) as view_count,
        cast(sum(by_code.row_count) as bigint) as row_count
    from by_code
    inner join domains on by_code.domain_code = domains.domain_code
    group by by_code.hour_started_at, domains.project, domains.access, by_code.page_kind

)

select * from final
