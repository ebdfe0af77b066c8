{{ config(incremental_strategy='delete+insert', unique_key='hour_started_at') }}

with domains as (

    select
        domain_code,
        split_part(domain_code, '.', 1) || '.' || coalesce(
            nullif(regexp_replace(regexp_extract(domain_code, '^[^.]*(.*)$', 1), '^\.(m|zero)\b', ''), ''), '.p'
        ) as project
    from (select distinct domain_code from {{ source('wikipedia', 'raw_pageviews') }})

)

select
    pageviews.hour_started_at,
    pageviews.domain_code,
    domains.project,
    pageviews.page_title,
    ('0x' || right(md5(domains.project || ' ' || pageviews.page_title), 16))::ubigint as page_key,
    pageviews.count_views as view_count
from {{ source('wikipedia', 'raw_pageviews') }} as pageviews
inner join domains using (domain_code)
where pageviews.hour_started_at = timestamp '{{ var("hour") }}'
