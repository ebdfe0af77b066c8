-- The index: everything in it can be read again from the object store. Times are ISO 8601 in UTC (`2026-11-20T09:04:05Z`,
-- sortable as text), hours `2026-11-20T09`, lists JSON. Aggregates are kept when rows are written.

create table meta (name text primary key, value text) without rowid;
-- version (integer, grows with every visible change), start_hour, settled_before, newest_complete_hour,
-- facts_retired_before, published_generated_at, published_newest_hour

create table hours (
    hour text primary key,
    state text not null, -- complete ingested running waiting late failed missing absent expired
    warnings text not null default '', -- of: rejected_lines control_differs restatement_pending test_warned views_unusual
    acknowledged_until text, -- of its newest note that still holds
    ingested_generation integer,
    lines integer, rows integer, rejected integer, views integer, bytes integer,
    control_state text, differing_domains integer, source_last_modified text,
    ingested_at text, ingested_run text, ingest_seconds real, ingest_credits real,
    transformed_generation integer,
    transformed_at text, transformed_run text, transform_seconds real, transform_credits real, test_warnings text,
    failed_stage text, failure_kind text, failing_since text, attempt integer, next_try_at text,
    error_type text, error text, failed_run text,
    running_stage text, running_run text
) without rowid;
create index hours_by_state on hours (state, hour);
create index hours_warned on hours (hour) where warnings <> '';
create index hours_restated on hours (hour) where ingested_generation > 1;
create table generations ( -- each that a marker of either stage tells of
    hour text not null, generation integer not null,
    rows integer, views integer, rejected integer, bytes integer, control_state text,
    differences text, -- of control totals, the largest
    ingested_at text, ingested_run text,
    transformed_at text, transformed_run text, test_warnings text,
    primary key (hour, generation)
) without rowid;
create index generations_again on generations (hour, generation) where generation > 1;
create table hour_states (state text primary key, count integer not null) without rowid;
create table hour_warnings (warning text primary key, count integer not null) without rowid;

create table hour_failures (
    hour text not null, stage text not null, attempt integer not null, kind text not null, failing_since text not null,
    next_try_at text not null, error_type text not null, error text not null, run text not null,
    primary key (hour, stage, attempt)
) without rowid;

create table runs (
    id text primary key,
    job text not null, trigger text not null, request text,
    state text not null, -- running succeeded failed stopped lost
    started_at text not null, finished_at text, seconds real,
    hour_count integer not null, first_hour text, last_hour text, failed_hours integer not null,
    rows integer not null, bytes integer not null, peak_memory integer not null,
    steps text not null, -- {"download": seconds, ...}
    error_type text, error text, host text not null, pod text, version text not null,
    pod_uid text
) without rowid;
create index runs_by_state on runs (state, id);
create index runs_by_job on runs (job, id);
-- Few of many: a query uses such an index where it says the same words.
create index runs_at_work on runs (job, id) where state = 'running';
create index runs_not_succeeded on runs (job, id) where state <> 'succeeded';
create index runs_not_scheduled on runs (trigger, id) where trigger <> 'schedule';
create index runs_by_request on runs (request, id) where request is not null;
create index runs_by_pod on runs (pod_uid) where pod_uid is not null;
create table run_hours (
    hour text not null, run text not null, outcome text not null, generation integer, detail text,
    primary key (hour, run)
) without rowid;
create index run_hours_by_run on run_hours (run);
create table run_counts (job text, state text, trigger text, count integer not null, primary key (job, state, trigger))
without rowid;

create table requests (
    id text primary key,
    kind text not null, hour_count integer not null, first_hour text, last_hour text, force integer not null,
    models text not null, cancels text, who text not null, why text not null, created_at text not null,
    outcome text, failed_hours integer, closed_at text -- outcome null: open
) without rowid;

create table ticks (
    job text primary key, at text not null, outcome text not null, owed integer not null, run text, detail text,
    seconds real not null, version text not null
) without rowid;
create table suspended (job text primary key) without rowid;
create table notes (
    id text primary key, hour text not null, who text not null, reason text not null, created_at text not null, until text not null
) without rowid;
create index notes_by_hour on notes (hour);
create table audit (
    id text primary key, at text not null, who text not null, role text not null, address text, action text not null,
    target text not null, outcome text not null, detail text not null
) without rowid;
create table ends (
    id text primary key, -- uid of the pod, or of a Job that has none
    job text not null, job_name text not null, pod text, reason text not null, detail text not null,
    exit_code integer, started_at text, at text not null
) without rowid;
create index ends_by_time on ends (at);
create table published (name text primary key, key text not null, sha256 text not null, bytes integer not null) without rowid;
create table unreadable (key text primary key, reason text not null, seen_at text not null) without rowid;
