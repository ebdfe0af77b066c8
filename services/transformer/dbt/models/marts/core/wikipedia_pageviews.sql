{{ config(materialized='view') }}

-- Left joins to unique keys: as many rows as the facts, whatever the dimensions lack.
select
    facts.hour_started_at,
    facts.generation,
    facts.domain_code,
    facts.page_key,
    hours.date_day,
    hours.hour_of_day,
    domains.project,
    domains.project_family,
    domains.language,
    domains.access,
    pages.page_title,
    pages.page_kind,
    pages.is_article,
    facts.view_count
from {{ stored('fct_wikipedia_pageviews') }} as facts
left join {{ stored('dim_wikipedia_page') }} as pages on facts.page_key = pages.page_key
left join {{ stored('dim_wikipedia_domain') }} as domains on facts.domain_code = domains.domain_code
left join {{ stored('dim_hour') }} as hours on facts.hour_started_at = hours.hour_started_at
