-- A delivery that was sent again after a doubt: when the far side is to be looked at once more, in case the first copy came late.
alter table deliveries add column look_again_at text;
create index deliveries_to_look_at on deliveries (flow, sink, look_again_at) where look_again_at is not null;
