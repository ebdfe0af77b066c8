{% test pages_found_once(model, pages) %}
    {#- Every row of the given hours finds its page exactly once, and the page is the row's own: both halves of the MD5
        agree. One pass for three failures: a missing page, a page that is there twice, two pages that share a key. -#}
    with found as (

        select
            count(*) as joined_count,
            count(pages.page_key) as found_count,
            count(case when pages.page_key_check = pageviews.page_key_check then 1 end) as own_count
        from {{ model }} as pageviews
        left join {{ pages }} as pages on pageviews.page_key = pages.page_key
        where {{ given_hours_filter('pageviews.hour_started_at') }}

    ),

    given as (

        select count(*) as row_count from {{ model }}
        where {{ given_hours_filter() }}

    )

    select
        given.row_count - found.found_count as missing_or_twice_count,
        found.found_count - found.own_count as collision_count
    from found
    cross join given
    where found.joined_count <> given.row_count or found.own_count <> given.row_count
{% endtest %}
