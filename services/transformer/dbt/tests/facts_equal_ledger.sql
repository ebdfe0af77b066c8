-- Of each given hour the facts hold as many rows and views as the ledger says were loaded.
with facts as (

    select
        hour_started_at,
        count(*) as row_count,
        sum(view_count) as view_count,
        min(generation) as oldest_generation,
        max(generation) as newest_generation
    from {{ ref('fct_wikipedia_pageviews') }}
    where {{ given_hours_filter() }}
    group by hour_started_at

),

ledger as (

    select
        hour_started_at,
        generation,
        row_count,
        view_count
    from {{ source('wikimedia', 'pageviews_ledger') }}
    where {{ given_generations_filter() }}

)

select
    ledger.hour_started_at,
    ledger.row_count as ledger_rows,
    facts.row_count as fact_rows,
    ledger.view_count as ledger_views,
    facts.view_count as fact_views
from ledger
left join facts on ledger.hour_started_at = facts.hour_started_at
where
    coalesce(facts.row_count, 0) <> ledger.row_count
    or coalesce(facts.view_count, 0) <> coalesce(ledger.view_count, 0)
    or facts.oldest_generation <> ledger.generation
    or facts.newest_generation <> ledger.generation
