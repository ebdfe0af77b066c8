{{ config(incremental_strategy='delete+insert', unique_key='hour_started_at') }}

select
    hour_started_at,
    domain_code,
    page_key,
    view_count
from {{ ref('staging') }}
where hour_started_at = timestamp '{{ var("hour") }}'
