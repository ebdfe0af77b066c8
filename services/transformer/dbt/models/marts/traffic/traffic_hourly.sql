{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='hour_started_at',
    )
}}

select
    hour_started_at,
    project,
    access,
    cast(sum(view_count) as bigint) as view_count,
    cast(sum(row_count) as bigint) as row_count
from {{ ref('traffic_by_kind_hourly') }}
where {{ given_hours_filter() }}
group by hour_started_at, project, access
