-- Calls that a far side bills or limits by the month, as its clients counted them.

create table accounts (
    account      text primary key,
    unit         text not null,
    allowance    integer not null,  -- calls a month; 0: not known
    warn_percent integer not null
) strict, without rowid;

create table calls (
    account text not null references accounts,
    day     text not null,              -- of UTC, 2026-11-24
    run     integer not null,           -- 0: outside of runs
    used    integer not null,
    primary key (account, day, run)
) strict, without rowid;
