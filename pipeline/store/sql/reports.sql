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

-- name: reasons
with fate as (
    select r.id, r.currency, r.amount, r.reason, coalesce(r.rank, -1) as direct,
        max(coalesce(r.rank, -1), coalesce((
            select max(case d.status when 'delivered' then 2 when 'dead' then 6 when 'held' then 5
                       else case v.state when 'in_doubt' then 4 else 3 end end)
            from record_documents l join documents d on d.id = l.document left join deliveries v on v.id = d.delivery
            where l.record = r.id), -1)) as rank
    from records r where r.run = ?),
told as (
    select rank, currency, amount, case when rank = direct then reason else coalesce((
        select coalesce(v.problem ->> 'code', (
            select x.code from dead_letters x where x.flow = d.flow and x.object = d.object and x.key = d.key
            and x.document = d.id order by x.id desc limit 1))
        from record_documents l join documents d on d.id = l.document left join deliveries v on v.id = d.delivery
        where l.record = fate.id and d.status = case rank when 6 then 'dead' else 'held' end order by d.id limit 1), '') end as reason
    from fate where rank in (0, 5, 6))
select rank, reason, currency, count(*), coalesce(sum(amount), 0) from told group by rank, reason, currency order by rank, reason, currency;

-- name: delivery_states
select v.state, count(*) from json_each(?) as k join deliveries v on v.id = k.value group by v.state;

-- name: latest_runs
select id, flow, kind, started_at, finished_at, status, span, problem, code_version, flow_digest, file from runs
where id in (select max(id) from runs group by flow) order by id;

-- name: flows
select distinct flow from runs order by flow;

-- name: count_runs
select count(*) from runs where (? = '' or flow = ?);

-- name: runs
select id, flow, kind, started_at, finished_at, status, span, problem, code_version, flow_digest, file from runs
where (? = '' or flow = ?) and id >= coalesce(?, id) order by id desc limit ?;

-- name: run
select id, flow, kind, started_at, finished_at, status, span, problem, code_version, flow_digest, file from runs where id = ?;

-- name: documents
select d.id, d.flow, d.set_code, d.partner, d.label, d.object, d.key, d.version, d.currency, d.amount, d.status, d.status_at,
    d.acknowledgement, v.id, v.state, v.name, v.numbers, d.position, d.run, d.address, d.acknowledge_by
from documents d left join deliveries v on v.id = d.delivery
where (? = '' or d.partner = ? collate nocase) and (? = '' or d.status = ?) and (? = '' or d.flow = ?) and (? = 0 or d.run = ?)
    and (? = '' or d.label = ? or d.key = ?) and d.encoded_at >= ?
order by d.id desc limit ?;

-- name: count_documents
select count(*) from documents d
where (? = '' or d.partner = ? collate nocase) and (? = '' or d.status = ?) and (? = '' or d.flow = ?) and (? = 0 or d.run = ?)
    and (? = '' or d.label = ? or d.key = ?) and d.encoded_at >= ?;

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
from dead_letters where (? = '' or state = ?) and (? = '' or code = ?) and (? = '' or flow = ?) and (? = '' or partner = ? collate nocase)
order by id limit ?;

-- name: first_dead_letters
select id, state, failure, code, owner, what, place, why, mend, flow, run, stage, partner, company, object, key, label, currency, amount,
    document, delivery, first_at, last_at, times
from (select *, row_number() over (partition by code order by id) as place_in_code from dead_letters
    where (? = '' or state = ?) and (? = '' or code = ?) and (? = '' or flow = ?) and (? = '' or partner = ? collate nocase))
where place_in_code <= ? order by id;

-- name: dead_letter_groups
select code, currency, count(*), count(amount), coalesce(sum(amount), 0) from dead_letters
where (? = '' or state = ?) and (? = '' or code = ?) and (? = '' or flow = ?) and (? = '' or partner = ? collate nocase)
group by code, currency order by min(id);

-- name: dead_letters_by_id
select id, state, failure, code, owner, what, place, why, mend, flow, run, stage, partner, company, object, key, label, currency, amount,
    document, delivery, first_at, last_at, times
from dead_letters where id in (select value from json_each(?)) order by id;

-- name: dead_letter
select id, state, failure, code, owner, what, place, why, mend, flow, run, stage, partner, company, object, key, label, currency, amount,
    document, delivery, first_at, last_at, times
from dead_letters where id = ?;

-- name: records_named
select r.id, r.run, r.flow, r.company, r.object, r.key, r.label, r.digest, r.currency, r.amount,
    max(coalesce(r.rank, -1), coalesce((
        select max(case d.status when 'delivered' then 2 when 'dead' then 6 when 'held' then 5
                   else case v.state when 'in_doubt' then 4 else 3 end end)
        from record_documents l join documents d on d.id = l.document left join deliveries v on v.id = d.delivery
        where l.record = r.id), -1)),
    r.reason
from records r where r.key = ? or r.label = ? order by r.id desc limit ?;

-- name: documents_of_record
select document from record_documents where record = ? order by document;

-- name: documents_listed
select d.id, d.flow, d.set_code, d.partner, d.label, d.object, d.key, d.version, d.currency, d.amount, d.status, d.status_at,
    d.acknowledgement, v.id, v.state, v.name, v.numbers, d.position, d.run, d.address, d.acknowledge_by
from json_each(?) as k join documents d on d.id = k.value left join deliveries v on v.id = d.delivery order by d.id;

-- name: timeline
select a.at, a.run, a.kind, a.subject, a.detail from audit a left join runs r on r.id = a.run
where a.subject in (select value from json_each(?1)) and (?2 = '' or coalesce(r.flow, ?2) = ?2) order by a.id;

-- name: open_deliveries
select id, flow, sink, lane, state, attempts, next_at, problem, name, sealed_at from deliveries
where state in ('sealed', 'sending', 'retry', 'in_doubt') order by id limit ?;

-- name: waiting_reasons
select problem ->> 'code' as code, count(*) as deliveries, problem ->> 'what' as what, problem ->> 'why' as why, max(id) from deliveries
where flow = ? and state in ('sealed', 'sending', 'retry', 'in_doubt') and problem is not null group by problem ->> 'code' order by deliveries desc, code limit ?;

-- name: counts
select (select count(*) from documents where status = 'stored'), (select count(*) from dead_letters where state = 'open'),
    (select count(*) from deliveries where state = 'in_doubt'), (select count(*) from deliveries where state in ('sealed', 'sending', 'retry')),
    (select count(*) from documents where acknowledgement = 'waiting'),
    (select count(*) from documents where acknowledgement = 'waiting' and acknowledge_by < ?),
    (select count(*) from documents where status = 'delivered');

-- name: audit_rows
select id, at, run, kind, subject, detail from audit where id > ? order by id limit ?;

-- name: audit_chain
select id, last, digest from audit_chain where id > ? order by id limit ?;

-- name: deliveries_named
select id from deliveries where name = ? or cast(numbers ->> 'ISA13' as text) = ? order by id;

-- name: deliveries_listed
select v.id, v.flow, v.sink, v.lane, v.address, v.state, v.sealed_at, v.name, v.numbers, v.documents from json_each(?) as k
join deliveries v on v.id = k.value order by v.id;

-- name: acknowledgements
with told as (
    select d.id as document, a.id as answer, d.partner, d.set_code, d.label, coalesce(a.kind, '') as kind,
        case when d.acknowledgement = 'waiting' and d.acknowledge_by < ?1 then 'overdue' else d.acknowledgement end as status,
        a.received_at, d.acknowledge_by, coalesce(a.detail, '') as detail, v.name, v.numbers, d.position, coalesce(a.key, '') as message
    from documents d left join deliveries v on v.id = d.delivery
    left join acknowledgements a on a.id = (select told.id from acknowledgements told
        where told.document = d.id and told.status = d.acknowledgement order by told.kind = 'TA1', told.id limit 1)
    where d.acknowledgement <> '' and (d.acknowledgement <> 'waiting' or d.status in ('sealed', 'delivered'))
    union all
    select a.document, a.id, a.partner, coalesce(d.set_code, ''), coalesce(d.label, ''), a.kind, a.status, a.received_at, d.acknowledge_by,
        a.detail, v.name, v.numbers, d.position, a.key
    from acknowledgements a left join documents d on d.id = a.document left join deliveries v on v.id = d.delivery
    where a.status in ('duplicate', 'unmatched', 'foreign_mailbox'))
select document, partner, set_code, label, kind, status, received_at, acknowledge_by, detail, name, numbers, position, message from told
where (?2 = '' or partner = ?2 collate nocase) and (?3 = '' or status = ?3) and (?5 = '' or set_code = ?5) and (?6 = '' or kind = ?6)
order by document is null, document desc, answer desc limit ?4;

-- name: acknowledgement_counts
select case when acknowledgement = 'waiting' and acknowledge_by < ?1 then 'overdue' else acknowledgement end as status, count(*)
from documents where acknowledgement <> '' and (acknowledgement <> 'waiting' or status in ('sealed', 'delivered')) and (?2 = '' or partner = ?2 collate nocase) group by 1
union all
select status, count(*) from acknowledgements where status in ('duplicate', 'unmatched', 'foreign_mailbox') and (?2 = '' or partner = ?2 collate nocase) group by 1;

-- name: last_entry
select max(at) from audit;

-- name: accounts
select account, unit, allowance, warn_percent from accounts order by account;

-- name: calls_by_day
select account, day, sum(used) from calls where day >= ? group by account, day;

-- name: calls_of_last_run
select c.account, c.run, sum(c.used) from calls c
where c.run = (select max(o.run) from calls o where o.account = c.account) and c.run > 0 group by c.account;

-- name: outages
select system, flow, since, last_at, problem from outages order by since, system;
