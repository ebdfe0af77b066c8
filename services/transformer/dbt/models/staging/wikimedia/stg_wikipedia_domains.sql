{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='domain_code',
        tmp_relation_type='table',
    )
}}

with codes as (

    select distinct domain_code
    from {{ source('wikimedia', 'raw_pageviews') }}
    where {{ given_generations_filter() }}

    {% if is_incremental() %}
    -- Known codes are decoded again, so that a new rule reaches all of them.
    union
    select domain_code from {{ this }}
    {% endif %}

),

suffixes as (

    select
        suffix,
        project_family
    from {{ ref('wikimedia_project_suffixes') }}
    union all
    select
        '' as suffix,
        'wikipedia' as project_family

),

wikis as (

    select subdomain from {{ ref('wikimedia_wikis') }}

),

ambiguous_languages as (

    select language from {{ ref('wikimedia_ambiguous_languages') }}

),

-- A code is `<subdomain>[.m|.zero][.<suffix>]`; sites without languages have `www`, `m` or `zero` for a subdomain.
parts as (

    select
        codes.domain_code,
        split_part(codes.domain_code, '.', 1) as subdomain,
        split_part(codes.domain_code, '.', 2) as second_part,
        length(codes.domain_code) - length(replace(codes.domain_code, '.', '')) + 1 as part_count,
        translate(codes.domain_code, 'abcdefghijklmnopqrstuvwxyz0123456789-.', '') = '' as is_spelt_as_code,
        split_part(codes.domain_code, '.', 1) in ('www', 'm', 'zero') as is_site,
        wikis.subdomain is not null as is_wiki
    from codes
    left join wikis on split_part(codes.domain_code, '.', 1) = wikis.subdomain

),

-- Of two parts, `.m` is the suffix of a wiki of wikimedia.org (`commons.m`), else the mobile mark (`de.m`).
marks as (

    select
        *,
        second_part = 'zero' or (second_part = 'm' and not (part_count = 2 and (is_wiki or is_site))) as has_mark
    from parts

),

suffixed as (

    select
        *,
        case when has_mark then second_part when is_site then subdomain else 'www' end as mark,
        split_part(domain_code, '.', case when has_mark then 3 else 2 end) as suffix
    from marks

),

decoded as (

    select
        suffixed.domain_code,
        suffixed.subdomain,
        suffixed.suffix,
        suffixed.mark,
        suffixed.is_site,
        suffixes.project_family,
        ambiguous_languages.language is not null
        and suffixed.mark = 'm'
        and suffixed.suffix = '' as is_ambiguous,
        suffixes.project_family is not null
        and suffixed.is_spelt_as_code
        and suffixed.subdomain <> ''
        and suffixed.part_count
        = 1 + case when suffixed.has_mark then 1 else 0 end + case when suffixed.suffix = '' then 0 else 1 end
            as is_known
    from suffixed
    left join suffixes on suffixed.suffix = suffixes.suffix
    left join ambiguous_languages on suffixed.subdomain = ambiguous_languages.language

),

final as (

    select
        domain_code,
        case
            when domain_code = '' then 'wikifunctions'
            when not is_known then 'unknown'
            when is_site then project_family
            else subdomain || '.' || project_family
        end as project,
        case
            when domain_code = '' then 'wikifunctions'
            when not is_known then 'unknown'
            else project_family
        end as project_family,
        case
            when not is_known or is_site then null
            when project_family in ('wikimedia', 'wikidata', 'mediawiki', 'wikimediafoundation') then null
            -- Wikis for trials, of the past, or of all languages at once.
            when subdomain in ('beta', 'nostalgia', 'ten', 'test', 'test2') then null
            else subdomain
        end as language,
        case
            when domain_code = '' or (is_known and is_ambiguous) then 'ambiguous'
            when not is_known then 'unknown'
            when mark = 'm' then 'mobile'
            when mark = 'zero' then 'zero'
            else 'desktop'
        end as access,
        case
            when domain_code = '' then 'Wikifunctions has no code: desktop and mobile views share the empty one'
            when not is_known then 'the code follows no known rule'
            when is_ambiguous
                then 'the mobile Wikipedia and the desktop site of a Wikimedia chapter share this code'
        end as access_note
    from decoded

)

select * from final
{% if is_incremental() %}
where
    not exists (
        select 1
        from {{ this }} as known
        where
            known.domain_code = final.domain_code
            and known.project = final.project
            and known.project_family = final.project_family
            and coalesce(known.language, '') = coalesce(final.language, '')
            and known.access = final.access
            and coalesce(known.access_note, '') = coalesce(final.access_note, '')
    )
{% endif %}
