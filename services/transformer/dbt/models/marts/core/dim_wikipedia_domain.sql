{{ config(materialized='view') }}

select
    domain_code,
    project,
    project_family,
    language,
    access,
    access_note
from {{ stored('stg_wikipedia_domains') }}
