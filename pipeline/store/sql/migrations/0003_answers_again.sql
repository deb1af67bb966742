-- An answer that matched nothing is kept as its sink wrote it, so that it can be tried again without its message.
alter table acknowledgements add column sink text not null default '';          -- the component that can read `said`
alter table acknowledgements add column said blob not null default x'';
alter table acknowledgements add column proves integer not null default 0;      -- 1: what it answers must have arrived
create index acknowledgements_unmatched on acknowledgements (received_at) where document is null;
