{{ config(materialized='incremental', incremental_strategy='append') }}

with pageviews as (

    select
        staged.page_key,
        staged.page_key_check,
        staged.project,
        staged.page_title,
        staged.page_kind,
        {{ row_tag('staged') }} as row_tag
    from {{ ref('stg_wikipedia_pageviews') }} as staged
    where {{ given_hours_filter('staged.hour_started_at') }}

),

-- Choosing one row of a page on integers, and only then fetching its text, takes a third of the time of a group by with
-- the text in it. Which row is chosen does not matter: all say the same of the page.
new_pages as (

    select
        page_key,
        min(row_tag) as row_tag
    from pageviews
    {% if is_incremental() %}
    where
        not exists (
            select 1 from {{ this }} as known
            where known.page_key = pageviews.page_key
        )
    {% endif %}
    group by page_key

),

final as (

    select
        page_key,
        page_key_check,
        project,
        page_title,
        page_kind,
        page_kind = 'article' as is_article
    from pageviews
    where exists (
        select 1
        from new_pages
        where new_pages.page_key = pageviews.page_key and new_pages.row_tag = pageviews.row_tag
    )

)

select * from final
