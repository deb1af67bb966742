-- Every statement that changes the ledger, by name. Parameters are positional, in the order of the columns named.

-- name: insert_run
insert into runs (id, flow, file, flow_digest, code_version, kind, span, started_at, status)
values (?, ?, ?, ?, ?, ?, ?, ?, 'running');

-- name: end_dead_runs
update runs set finished_at = ?, status = 'failed', problem = ? where flow = ? and status = 'running';

-- name: finish_run
update runs set finished_at = ?, status = ?, problem = ? where id = ?;

-- name: insert_page
insert into pages (id, run, source, number, currency, records, amount) values (?, ?, ?, ?, ?, ?, ?);

-- name: insert_record
insert into records (id, run, flow, company, object, key, label, digest, currency, amount, rank, reason, alias)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_plan
insert into plans (digest, fields, origins) values (?, ?, ?) on conflict do nothing;

-- name: insert_document
insert into documents (id, flow, sink, encoder, partner, set_code, company, object, key, version, label, currency, amount,
    lane, address, status, status_at, acknowledgement, acknowledge_within, body, envelope, pack_group, pack_limit, guard, run, encoded_at,
    flow_digest, code_version, guide_digest, source_digest, fields_digest, plan, lookups, replaces, reference)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: link_document
insert into record_documents (record, document) values (?, ?) on conflict do nothing;

-- name: save_cursor
insert into cursors (flow, source, scope, value, at) values (?, ?, ?, ?, ?)
on conflict (flow, source, scope) do update set value = excluded.value, at = excluded.at;

-- name: insert_dead_letter
insert into dead_letters (id, state, failure, code, owner, what, place, why, mend, flow, run, stage, partner, company, object, key,
    label, currency, amount, document, delivery, first_at, last_at, times)
values (?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1);

-- name: repeat_dead_letter
update dead_letters set last_at = ?, run = ?, what = ?, place = ?, why = ?, mend = ?, times = times + 1 where id = ?;

-- name: close_dead_letter
update dead_letters set state = ?, last_at = ? where id = ? and state = 'open';

-- name: close_dead_letters_of_delivery
update dead_letters set state = ?, last_at = ? where delivery = ? and state = 'open';

-- name: save_number
insert into control_numbers (scope, name, last) values (?, ?, ?) on conflict (scope, name) do update set last = excluded.last;

-- name: insert_delivery
insert into deliveries (id, flow, sink, lane, address, run, name, payload, digest, numbers, documents, state, state_at, sealed_at,
    attempts, passed, absences, marks)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'sealed', ?, ?, 0, 0, 0, '{}');

-- name: seal_document
update documents set status = 'sealed', status_at = ?, delivery = ?, position = ? where id = ? and status = 'stored';

-- name: unseal_document
update documents set status = 'stored', status_at = ?, delivery = null, position = null where id = ? and status = 'dead';

-- name: set_document_status
update documents set status = ?, status_at = ? where id = ?;

-- name: settle_documents
update documents set status = ?1, status_at = ?2, acknowledge_by = case when ?1 = 'delivered' and acknowledgement <> ''
    then strftime('%Y-%m-%dT%H:%M:%fZ', ?2, '+' || acknowledge_within || ' seconds') end
where delivery = ?3;

-- name: insert_attempt
insert into attempts (delivery, number, run, started_at) values (?, ?, ?, ?);

-- name: delivery_sending
update deliveries set state = 'sending', state_at = ?, attempts = ?, next_at = null where id = ?;

-- name: attempt_committed
update attempts set committed_at = ? where delivery = ? and number = ?;

-- name: delivery_passed
update deliveries set passed = 1 where id = ?;

-- name: delivery_mark
update deliveries set marks = json_set(marks, '$.' || json_quote(?), ?) where id = ?;

-- name: look_again
update deliveries set look_again_at = ? where id = ?;

-- name: end_attempt
update attempts set ended_at = ?, outcome = ? where delivery = ? and number = ?;

-- name: delivery_state
update deliveries set state = ?, state_at = ?, next_at = ?, absences = ?, evidence = coalesce(?, evidence), problem = ? where id = ?;

-- name: save_partner
insert into partners (sink, code, state, digest, at) values (?, ?, ?, ?, ?)
on conflict (sink, code) do update set state = excluded.state, digest = excluded.digest, at = excluded.at;

-- name: take_lease
insert into leases (name, owner, host, pid, epoch, renewed_at) values (?, ?, ?, ?, ?, ?)
on conflict (name) do update set owner = excluded.owner, host = excluded.host, pid = excluded.pid, epoch = excluded.epoch,
    renewed_at = excluded.renewed_at;

-- name: insert_audit
insert into audit (id, at, run, kind, subject, detail) values (?, ?, ?, ?, ?, ?);

-- name: insert_chain
insert into audit_chain (id, last, digest) values (?, ?, ?);

-- name: use_number
insert into used_numbers (scope, name, first, last, delivery) values (?, ?, ?, ?, ?);

-- name: insert_received
insert into received (flow, company, object, key, digest, label, at, payload) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing;

-- name: forget_unmatched
delete from acknowledgements where flow = ? and company = ? and object = ? and key = ? and place = ? and document is null;

-- name: forget_answer
delete from acknowledgements where flow = ? and company = ? and object = ? and key = ? and place = ? and document = ?;

-- name: insert_answer
insert into acknowledgements (flow, company, object, key, place, document, partner, kind, verdict, status, run, received_at, detail, sink,
    said, proves)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, case when ?6 is null then 'unmatched'
    when exists (select 1 from acknowledgements where document = ?6 and kind = ?8 and verdict = ?9) then 'duplicate' else ?9 end,
    ?10, ?11, ?12, ?13, ?14, ?15) on conflict do nothing;

-- name: acknowledge
update documents set acknowledgement = ?1 where id = ?2 and case acknowledgement when 'accepted' then 1 when 'accepted_with_errors' then 2
    when 'partially_accepted' then 3 when 'rejected' then 4 else 0 end
    < case ?1 when 'accepted' then 1 when 'accepted_with_errors' then 2 when 'partially_accepted' then 3 else 4 end;

-- name: save_account
insert into accounts (account, unit, allowance, warn_percent) values (?, ?, ?, ?)
on conflict (account) do update set unit = excluded.unit, allowance = excluded.allowance, warn_percent = excluded.warn_percent;

-- name: count_calls
insert into calls (account, day, run, used) values (?, ?, ?, ?)
on conflict (account, day, run) do update set used = used + excluded.used;

-- name: save_outage
insert into outages (system, flow, since, last_at, problem) values (?1, ?2, ?3, ?3, ?4)
on conflict (system) do update set flow = excluded.flow, last_at = excluded.last_at, problem = excluded.problem;

-- name: end_outage
delete from outages where system = ?;

-- name: forget_outages
delete from outages where flow = ?1 and system not in (select value from json_each(?2));
