{{ config(materialized='view') }}

with days as (

    select
        date_day,
        cast(count(*) as integer) as hours_present
    from {{ stored('dim_hour') }}
    group by date_day

),

final as (

    select
        date_day,
        cast(extract(year from date_day) as integer) as year_number,
        cast(extract(month from date_day) as integer) as month_of_year,
        cast(extract(day from date_day) as integer) as day_of_month,
        -- Sunday is 0 to both engines' dayofweek, and 7 here.
        cast(case when dayofweek(date_day) = 0 then 7 else dayofweek(date_day) end as integer) as iso_day_of_week,
        hours_present,
        dayofweek(date_day) in (0, 6) as is_weekend
    from days

)

select * from final
