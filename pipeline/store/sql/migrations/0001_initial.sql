-- The ledger, first version. Times are ISO 8601 UTC texts; amounts are integers of one millionth of the currency unit.
-- Ids are integers in order of writing: random digests as keys would cost more with every row.

create table runs (
    id           integer primary key,
    flow         text not null,
    file         text not null,               -- the flow file it ran from
    flow_digest  text not null,
    code_version text not null,
    kind         text not null,               -- run | replay
    span         text not null,               -- the window, as JSON
    started_at   text not null,
    finished_at  text,
    status       text not null,               -- running | clean | exceptions | out_of_balance | failed
    problem      text                         -- why it failed, as JSON in four parts
) strict;

-- What was read, counted and summed at the source page; one row per page and currency.
create table pages (
    id       integer primary key,
    run      integer not null references runs,
    source   text not null,
    number   integer not null,
    currency text not null,
    records  integer not null,
    amount   integer not null
) strict;
create index pages_by_run on pages (run);

-- One row per source record of a run: its direct outcome, if it has one; otherwise its documents tell.
create table records (
    id       integer primary key,
    run      integer not null references runs,
    flow     text not null,
    company  text not null,
    object   text not null,
    key      text not null,
    label    text not null,
    digest   text not null,
    currency text not null,
    amount   integer,
    rank     integer,                          -- see outcomes in pipeline/store/rows.py; null = documents only
    reason   text not null                     -- the rule that excluded it, or the code of its dead letter
) strict;
create index records_by_run on records (run);
create index records_by_key on records (object, key);

create table plans (
    digest  text primary key,
    fields  text not null,                     -- JSON list of source fields
    origins text not null                      -- one line per element: where it comes from
) strict, without rowid;

create table documents (
    id            integer primary key,
    flow          text not null,
    sink          text not null,
    encoder       text not null,               -- the stage that packs it; '' = the body is the payload
    partner       text not null,
    set_code      text not null,
    company       text not null,
    object        text not null,
    key           text not null,
    version       integer not null,
    label         text not null,
    currency      text not null,
    amount        integer,
    lane          text not null,
    address       text not null,
    status        text not null,               -- stored | sealed | delivered | dead | held
    status_at     text not null,
    delivery      integer,
    position      integer,                     -- place in its delivery, from 1
    acknowledgement text not null,             -- '' = none expected | waiting | accepted | rejected | ...
    acknowledge_within real not null,          -- seconds after delivery
    acknowledge_by  text,
    body          blob not null,
    envelope      text not null,
    pack_group    text not null,
    pack_limit    integer not null,
    guard         text not null,
    -- provenance, recorded when it was encoded
    run           integer not null references runs,
    encoded_at    text not null,
    flow_digest   text not null,
    code_version  text not null,
    guide_digest  text not null,
    source_digest text not null,
    fields_digest text not null,
    plan          text not null,
    lookups       text not null,
    replaces      integer                      -- the document of the version before
) strict;
create unique index documents_identity on documents (flow, object, key, company, partner, set_code, sink, version);
create index documents_waiting on documents (sink, lane, id) where status = 'stored';
create index documents_by_delivery on documents (delivery) where delivery is not null;
create index documents_by_guard on documents (guard) where guard <> '';
create index documents_by_label on documents (label);
create index documents_by_run on documents (run);

create table record_documents (
    record   integer not null references records,
    document integer not null references documents,
    primary key (record, document)
) strict, without rowid;

create table deliveries (
    id          integer primary key,
    flow        text not null,
    sink        text not null,
    lane        text not null,
    address     text not null,
    run         integer not null references runs,
    name        text not null,
    payload     blob not null,
    digest      text not null,
    numbers     text not null,                 -- JSON: control number by name
    documents   integer not null,
    state       text not null,                 -- sealed | sending | retry | in_doubt | delivered | dead | held
    state_at    text not null,
    sealed_at   text not null,
    attempts    integer not null,
    passed      integer not null,              -- 1 once any attempt passed its commit point
    absences    integer not null,              -- times the far side was proved not to have it
    next_at     text,                          -- not before
    marks       text not null,
    evidence    text,
    problem     text
) strict;
create index deliveries_open on deliveries (sink, lane, id) where state in ('sealed', 'sending', 'retry', 'in_doubt');
create index deliveries_by_run on deliveries (run);
create index deliveries_by_name on deliveries (name);

create table attempts (
    delivery     integer not null references deliveries,
    number       integer not null,
    run          integer not null,
    started_at   text not null,
    committed_at text,                         -- when it passed its commit point
    ended_at     text,
    outcome      text,
    primary key (delivery, number)
) strict, without rowid;

create table control_numbers (
    scope text not null,                       -- our id, their id, usage
    name  text not null,
    last  integer not null,
    primary key (scope, name)
) strict, without rowid;

create table dead_letters (
    id        integer primary key,
    state     text not null,                   -- open | replayed | resolved
    failure   text not null,                   -- data | refused | held | ...
    code      text not null,
    owner     text not null,
    what      text not null,
    place     text not null,
    why       text not null,
    mend      text not null,
    flow      text not null,
    run       integer not null,
    stage     text not null,
    partner   text not null,
    company   text not null,
    object    text not null,
    key       text not null,
    label     text not null,
    currency  text not null,
    amount    integer,
    document  integer,
    delivery  integer,
    first_at  text not null,
    last_at   text not null,
    times     integer not null
) strict;
create index dead_letters_by_record on dead_letters (flow, object, key);

create table acknowledgements (
    id          integer primary key,
    document    integer,
    kind        text not null,                 -- 997 | 999 | TA1 | 824
    status      text not null,
    received_at text not null,
    detail      text not null
) strict;

create table cursors (
    flow   text not null,
    source text not null,
    scope  text not null,                      -- company and entity
    value  text not null,
    at     text not null,
    primary key (flow, source, scope)
) strict, without rowid;

create table partners (
    sink    text not null,
    code    text not null,
    state   blob not null,                     -- as last written to the far side
    digest  text not null,
    at      text not null,
    primary key (sink, code)
) strict, without rowid;

create table leases (
    name       text primary key,
    owner      text not null,
    host       text not null,
    pid        integer not null,
    epoch      integer not null,
    renewed_at text not null
) strict, without rowid;

create table schedules (
    flow    text primary key,
    next_at text,
    last_at text,
    paused  integer not null
) strict, without rowid;

-- Append only. Each commit's rows are chained by one row of audit_chain.
create table audit (
    id      integer primary key,
    at      text not null,
    run     integer,
    kind    text not null,
    subject text not null,
    detail  text not null
) strict;
create index audit_by_subject on audit (subject);

create table audit_chain (
    id     integer primary key,
    last   integer not null,                   -- id of the commit's last audit row
    digest text not null                       -- SHA-256 over the digest before and the commit's rows
) strict;

create trigger audit_is_append_only_u before update on audit begin select raise(abort, 'the audit trail is append only'); end;
create trigger audit_is_append_only_d before delete on audit begin select raise(abort, 'the audit trail is append only'); end;
create trigger chain_is_append_only_u before update on audit_chain begin select raise(abort, 'the audit trail is append only'); end;
create trigger chain_is_append_only_d before delete on audit_chain begin select raise(abort, 'the audit trail is append only'); end;
