{{ config(incremental_strategy='append') }}

select
    page_key,
    any_value(project) as project,
    any_value(page_title) as page_title
from {{ ref('staging') }}
where
    hour_started_at = timestamp '{{ var("hour") }}'
    {% if is_incremental() %}
    and page_key not in (select page_key from {{ this }})
    {% endif %}
group by page_key
