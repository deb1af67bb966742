-- A system that does not answer: there is a row from the first failure to the first answer after it.
create table outages (
    system  text primary key,           -- as people call it
    flow    text not null,              -- that met it last
    since   text not null,
    last_at text not null,
    problem text not null               -- what was said last, as JSON in four parts
) strict, without rowid;
