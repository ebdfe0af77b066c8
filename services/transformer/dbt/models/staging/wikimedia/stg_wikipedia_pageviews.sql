{{
    config(
        materialized='incremental',
        incremental_strategy='replace_hours',
        unique_key='hour_started_at',
        cluster_by=['hour_started_at'],
    )
}}

with pageviews as (

    select
        hour_started_at,
        generation,
        domain_code,
        page_title,
        count_views as view_count,
        -- Only a title with a colon can carry a namespace.
        case when page_title like '%:%' then lower(split_part(page_title, ':', 1)) end as prefix
    from {{ source('wikimedia', 'raw_pageviews') }}
    where {{ given_generations_filter() }}

),

domains as (

    select
        domain_code,
        project,
        coalesce(language, '') as language
    from {{ ref('stg_wikipedia_domains') }}

),

-- The names that hold everywhere (`*`) and a language's own, one row per language and prefix; the own one wins.
namespaces as (

    select
        languages.language,
        named.prefix,
        named.page_kind
    from (select distinct language from domains) as languages
    inner join {{ ref('wikimedia_namespaces') }} as named on named.language in (languages.language, '*')
    qualify row_number() over (
        partition by languages.language, named.prefix
        order by case when named.language = '*' then 1 else 0 end
    ) = 1

),

main_pages as (

    select {{ page_key('projects.project', 'named.page_title') }} as page_key
    from (select distinct project from domains) as projects
    inner join {{ ref('wikimedia_main_pages') }} as named on named.project in (projects.project, '*')

),

keyed as (

    select
        pageviews.hour_started_at,
        pageviews.generation,
        pageviews.domain_code,
        domains.project,
        domains.language,
        pageviews.page_title,
        pageviews.prefix,
        pageviews.view_count,
        {{ page_key('domains.project', 'pageviews.page_title') }} as page_key,
        {{ page_key_check('domains.project', 'pageviews.page_title') }} as page_key_check
    from pageviews
    inner join domains on pageviews.domain_code = domains.domain_code

),

final as (

    select
        keyed.hour_started_at,
        keyed.generation,
        keyed.domain_code,
        keyed.project,
        keyed.page_title,
        keyed.page_key,
        keyed.page_key_check,
        keyed.view_count,
        case
            when keyed.page_title = '-' then 'unknown'
            when keyed.page_key in (select main_pages.page_key from main_pages) then 'main_page'
            else coalesce(namespaces.page_kind, 'article')
        end as page_kind
    from keyed
    left join namespaces on keyed.language = namespaces.language and keyed.prefix = namespaces.prefix

)

select * from final
