-- What the engine reads, by name. Lists of values come as one JSON parameter, so that a statement is prepared once.

-- name: heads
select coalesce((select max(id) from runs), 0), coalesce((select max(id) from pages), 0), coalesce((select max(id) from records), 0),
    coalesce((select max(id) from documents), 0), coalesce((select max(id) from deliveries), 0),
    coalesce((select max(id) from dead_letters), 0), coalesce((select max(id) from audit), 0),
    coalesce((select max(id) from audit_chain), 0),
    coalesce((select digest from audit_chain where id = (select max(id) from audit_chain)), '');

-- name: cursor
select value from cursors where flow = ? and source = ? and scope = ?;

-- name: previous_documents
select d.company, d.object, d.key, d.partner, d.set_code, d.sink, d.id, d.version, d.status, d.plan, d.fields_digest, p.fields
from json_each(?) as k
join documents d on d.flow = ? and d.object = k.value ->> 1 and d.key = k.value ->> 2 and d.company = k.value ->> 0
join plans p on p.digest = d.plan
order by d.version;

-- name: sent_documents
select d.company, d.object, d.key, max(d.id), d.partner, d.set_code
from json_each(?) as k
join documents d on d.flow = ? and d.object = k.value ->> 1 and d.key = k.value ->> 2 and d.company = k.value ->> 0
where d.status in ('stored', 'sealed', 'delivered') and not exists (
    select 1 from dead_letters x where x.flow = d.flow and x.object = d.object and x.key = d.key and x.company = d.company
    and x.code in ('MLC-DOC-0003', 'MLC-DOC-0004') and x.state <> 'open')
group by d.company, d.object, d.key;

-- name: known_records
-- (cross join: the names first, or every record of the object with an alias is compared with every name)
with found as (
    select k.value as name, r.key, max(r.id) as id from json_each(?1) as k
    cross join records r on r.object = ?2 and r.key = k.value and r.company = ?3 and r.flow = ?4 group by k.value, r.key
    union
    select k.value, r.key, (select max(n.id) from records n where n.object = r.object and n.key = r.key and n.company = r.company and n.flow = r.flow)
    from json_each(?1) as k cross join records r on r.object = ?2 and r.alias = k.value and r.alias <> '' and r.company = ?3 and r.flow = ?4)
select distinct found.name, r.key, r.alias, r.label, r.digest, r.rank, r.reason from found join records r on r.id = found.id;

-- name: last_reads
select r.company, r.object, r.key, r.currency, r.amount from json_each(?1) as k
join records r on r.id = (select max(n.id) from records n
    where n.object = k.value ->> 1 and n.key = k.value ->> 2 and n.company = k.value ->> 0 and n.flow = ?2);

-- name: sent_between
select distinct d.key from documents d
where d.flow = ?1 and d.company = ?2 and d.object = ?3 and d.encoded_at >= ?4 and d.encoded_at < ?5 and d.status in ('stored', 'sealed', 'delivered')
    and not exists (select 1 from records r where r.id = (select max(n.id) from records n
        where n.object = d.object and n.key = d.key and n.company = d.company and n.flow = d.flow) and r.reason in ('deleted', 'MLC-DOC-0004'))
order by d.key;

-- name: guarded_documents
select d.guard, d.company, d.object, d.key, d.partner, d.set_code, d.id
from json_each(?) as g join documents d on d.guard = g.value where d.flow = ?;

-- name: open_dead_letters
select x.id, x.company, x.object, x.key, x.stage, x.code, x.document from json_each(?) as k
join dead_letters x on x.flow = ? and x.object = k.value ->> 1 and x.key = k.value ->> 2 and x.company = k.value ->> 0
where x.state = 'open' and x.delivery is null;

-- name: waiting_lanes
select distinct lane from documents where flow = ? and sink = ? and status = 'stored'
union select distinct lane from deliveries where flow = ? and sink = ? and state in ('sealed', 'sending', 'retry', 'in_doubt');

-- name: waiting_stages
select distinct sink, encoder from documents where flow = ?1 and status = 'stored'
union select distinct sink, '' from deliveries where flow = ?1 and state in ('sealed', 'sending', 'retry', 'in_doubt');

-- name: waiting_documents
select id, set_code, partner, body, envelope, version, encoder, pack_group, pack_limit, address, key, label
from documents where sink = ? and lane = ? and status = 'stored' and flow = ? order by id limit ?;

-- name: open_delivery
select v.id, v.lane, v.address, v.name, v.payload, v.digest, v.numbers, v.attempts, v.marks, v.state, v.passed, v.absences, v.next_at,
    a.committed_at, a.ended_at, a.started_at, v.run, v.problem
from deliveries v left join attempts a on a.delivery = v.id and a.number = v.attempts
where v.sink = ? and v.lane = ? and v.flow = ? and v.state in ('sealed', 'sending', 'retry', 'in_doubt') order by v.id limit 1;

-- name: to_look_at
select id, lane, address, name, payload, digest, numbers, attempts, marks from deliveries
where flow = ? and sink = ? and look_again_at <= ? and state = 'delivered' order by id limit 100;

-- name: numbers
select scope, name, last from json_each(?) as k join control_numbers c on c.scope = k.value ->> 0 and c.name = k.value ->> 1;

-- name: still_stored
select count(*) from json_each(?) as k join documents d on d.id = k.value where d.status = 'stored';

-- name: lease
select owner, host, pid, epoch, renewed_at from leases where name = ?;

-- name: documents_of_delivery
select d.id, d.company, d.object, d.key, d.label, d.partner, d.currency, d.amount, d.set_code, d.address
from documents d where d.delivery = ? order by d.position;

-- name: delivery_for_a_person
select state, passed, coalesce(problem ->> 'code', '') from deliveries where id = ? and state in ('dead', 'held');

-- name: overtaken_of_delivery
select d.id, exists (select 1 from documents n left join deliveries v on v.id = n.delivery where n.flow = d.flow and n.object = d.object
    and n.key = d.key and n.company = d.company and n.partner = d.partner and n.set_code = d.set_code and n.sink = d.sink
    and n.version > d.version and (n.status = 'delivered' or v.passed = 1))
from documents d where d.delivery = ? order by d.position;

-- name: document_for_a_person
select status from documents where id = ? and status in ('dead', 'held');

-- name: answered_by_number
select distinct k.value ->> 0, k.value ->> 1, k.value ->> 2, d.id, d.set_code, d.delivery, d.position, d.envelope, v.numbers, v.sealed_at,
    d.reference, d.partner
from json_each(?) as k
join used_numbers n on n.scope = k.value ->> 0 and n.name = k.value ->> 1
    and n.first between (k.value ->> 2) - 10000 and k.value ->> 2 and n.last >= k.value ->> 2
join deliveries v on v.id = n.delivery join documents d on d.delivery = v.id
order by d.delivery, d.position;

-- name: answered_by_reference
select distinct k.value ->> 0, '', k.value ->> 1, d.id, d.set_code, d.delivery, d.position, d.envelope, v.numbers, v.sealed_at,
    d.reference, d.partner
from json_each(?) as k
join documents named on named.reference = k.value ->> 1 and named.reference <> ''
join used_numbers n on n.delivery = named.delivery and n.scope = k.value ->> 0
join deliveries v on v.id = named.delivery join documents d on d.delivery = v.id
order by d.delivery, d.position;

-- name: known_answers
select a.flow, a.company, a.object, a.key, a.place, a.document, a.verdict from json_each(?) as k
cross join acknowledgements a on a.object = k.value ->> 2 and a.key = k.value ->> 3 and a.company = k.value ->> 1
where a.flow = k.value ->> 0 or a.company <> '';

-- name: unmatched_answers
select flow, company, object, key, place, received_at, sink, said from acknowledgements indexed by acknowledgements_unmatched
where document is null and received_at >= ? and sink <> '' order by received_at, id;

-- name: state_of_delivery
select state from deliveries where id = ?;

-- name: answered_deliveries
with unsettled (id) as (
    select id from deliveries where state in ('sealed', 'sending', 'retry', 'in_doubt')
    union select delivery from dead_letters where state = 'open' and delivery is not null)
select v.id, v.attempts, a.kind, a.key, a.object, max(a.id), min(a.received_at) from unsettled u join deliveries v on v.id = u.id
join documents d on d.delivery = v.id join acknowledgements a on a.document = d.id and a.proves = 1
where v.state in ('retry', 'in_doubt', 'dead') and v.passed = 1 and (?1 = 0 or v.id = ?1)
    and a.received_at >= (select min(t.committed_at) from attempts t where t.delivery = v.id and t.committed_at is not null)
group by v.id;
