-- What partners answer, and what is needed to find the documents their answers are about.

-- The control numbers of each delivery: a counter that gave several numbers gave first to last.
create table used_numbers (
    scope    text not null,
    name     text not null,
    first    integer not null,
    last     integer not null,
    delivery integer not null references deliveries,
    primary key (scope, name, first, delivery)
) strict, without rowid;
create index used_numbers_by_delivery on used_numbers (delivery);

alter table documents add column reference text not null default '';  -- the number it carries
create index documents_by_reference on documents (reference) where reference <> '';

-- What was received, byte for byte: it is here before its source lets go of it.
create table received (
    id      integer primary key,
    flow    text not null,
    company text not null,
    object  text not null,
    key     text not null,
    digest  text not null,
    label   text not null,
    at      text not null,
    payload blob not null
) strict;
create unique index received_once on received (flow, object, key, company, digest);

drop table acknowledgements;  -- nothing was ever written to it
create table acknowledgements (
    id          integer primary key,
    flow        text not null,                 -- with company, object and key: the record that said it
    company     text not null,
    object      text not null,
    key         text not null,
    place       integer not null,              -- of the answer in that record, from 0
    document    integer references documents,  -- null = unmatched
    partner     text not null,                 -- the document's; of an unmatched answer, who sent it
    kind        text not null,                 -- 997 | 999 | TA1 | 824 | 855
    verdict     text not null,                 -- accepted | accepted_with_errors | partially_accepted | rejected | duplicate | ''
    status      text not null,                 -- the verdict, or duplicate when it says nothing new, or unmatched
    run         integer not null references runs,
    received_at text not null,
    detail      text not null
) strict;
create unique index acknowledgements_once on acknowledgements (flow, object, key, company, place, coalesce(document, 0));
create index acknowledgements_by_document on acknowledgements (document) where document is not null;
create index documents_waited_for on documents (acknowledge_by) where acknowledgement = 'waiting';
