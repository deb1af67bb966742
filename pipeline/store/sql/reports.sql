-- What people and scripts read, by name.

-- name: totals
with fate as (
    select r.currency, r.amount,
        max(coalesce(r.rank, -1), coalesce((
            select max(case d.status when 'delivered' then 2 when 'dead' then 6 when 'held' then 5
                       else case v.state when 'in_doubt' then 4 else 3 end end)
            from record_documents l join documents d on d.id = l.document left join deliveries v on v.id = d.delivery
            where l.record = r.id), -1)) as rank
    from records r where r.run = ?)
select rank, currency, count(*), coalesce(sum(amount), 0) from fate group by rank, currency;

-- name: read_totals
select currency, sum(records), sum(amount) from pages where run = ? group by currency;

-- name: made
select (select count(*) from documents where run = ?), (select count(*) from deliveries where run = ?);

-- name: runs
select id, flow, kind, started_at, finished_at, status, span, problem, code_version, flow_digest, file from runs
where (? = '' or flow = ?) and id >= coalesce(?, id) order by id desc limit ?;

-- name: run
select id, flow, kind, started_at, finished_at, status, span, problem, code_version, flow_digest, file from runs where id = ?;

-- name: documents
select d.id, d.flow, d.set_code, d.partner, d.label, d.object, d.key, d.version, d.currency, d.amount, d.status, d.status_at,
    d.acknowledgement, v.id, v.state, v.name, v.numbers, d.position, d.run, d.address, d.acknowledge_by
from documents d left join deliveries v on v.id = d.delivery
where (? = '' or d.partner = ?) and (? = '' or d.status = ?) and (? = '' or d.flow = ?) and (? = 0 or d.run = ?)
    and (? = '' or d.label = ? or d.key = ?) and d.encoded_at >= ?
order by d.id desc limit ?;

-- name: document
select d.id, d.flow, d.sink, d.set_code, d.partner, d.company, d.object, d.key, d.version, d.label, d.currency, d.amount, d.lane,
    d.address, d.status, d.status_at, d.acknowledgement, d.acknowledge_by, d.body, d.delivery, d.position, d.run, d.encoded_at,
    d.flow_digest, d.code_version, d.guide_digest, d.source_digest, d.fields_digest, d.plan, d.lookups, d.replaces, p.origins
from documents d left join plans p on p.digest = d.plan where d.id = ?;

-- name: delivery
select id, flow, sink, lane, address, run, name, payload, digest, numbers, documents, state, state_at, sealed_at, attempts, passed,
    absences, next_at, marks, evidence, problem from deliveries where id = ?;

-- name: delivery_attempts
select number, run, started_at, committed_at, ended_at, outcome from attempts where delivery = ? order by number;

-- name: dead_letters
select id, state, failure, code, owner, what, place, why, mend, flow, run, stage, partner, company, object, key, label, currency, amount,
    document, delivery, first_at, last_at, times
from dead_letters where (? = '' or state = ?) and (? = '' or code = ?) and (? = '' or flow = ?) and (? = '' or partner = ?)
order by id limit ?;

-- name: dead_letter
select id, state, failure, code, owner, what, place, why, mend, flow, run, stage, partner, company, object, key, label, currency, amount,
    document, delivery, first_at, last_at, times
from dead_letters where id = ?;

-- name: records_named
select r.id, r.run, r.flow, r.company, r.object, r.key, r.label, r.digest, r.currency, r.amount, r.rank, r.reason
from records r where r.key = ? or r.label = ? order by r.id desc limit ?;

-- name: documents_of_record
select document from record_documents where record = ? order by document;

-- name: timeline
select at, run, kind, subject, detail from audit where subject in (select value from json_each(?)) order by id;

-- name: open_deliveries
select id, flow, sink, lane, state, attempts, next_at, problem, name, sealed_at from deliveries
where state in ('sealed', 'sending', 'retry', 'in_doubt') order by id limit ?;

-- name: counts
select (select count(*) from documents where status = 'stored'), (select count(*) from dead_letters where state = 'open'),
    (select count(*) from deliveries where state = 'in_doubt'), (select count(*) from deliveries where state in ('sealed', 'sending', 'retry')),
    (select count(*) from documents where acknowledgement = 'waiting'), (select count(*) from documents where status = 'delivered');

-- name: audit_rows
select id, at, run, kind, subject, detail from audit where id > ? order by id limit ?;

-- name: audit_chain
select id, last, digest from audit_chain where id > ? order by id limit ?;

-- name: deliveries_named
select id from deliveries where name = ? or cast(numbers ->> 'ISA13' as text) = ? order by id;
