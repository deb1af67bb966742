-- What else the source knows an object by: what it names when it tells of a deletion, say.
alter table records add column alias text not null default '';
create index records_by_alias on records (object, alias) where alias <> '';
