// Sage's own SDK against a simulator, unchanged. It takes no endpoint outside intacct.com, so that name is resolved to loopback here.
// usage: node sdk_js.js ENDPOINT SENDER SENDERPASSWORD COMPANY USER USERPASSWORD ENTITY; prints one JSON object: what it saw.
"use strict";

const dns = require("dns");
const lookup = dns.lookup;
dns.lookup = (host, options, callback) => lookup(host.endsWith(".intacct.com") ? "127.0.0.1" : host, options, callback);

const sdk = require("@intacct/intacct-sdk");
const { Common, AccountsPayable } = sdk.Functions;
const { Query, QueryFilter, QuerySelect, QueryOrderBy } = Common.NewQuery;

function of(Function, values) {
  return Object.assign(new Function(), values);
}

async function refusal(work) {
  try {
    await work();
  } catch (error) {
    return `${error.name || error.constructor.name}: ${error.message} ${(error.errors || []).join("; ")}`;
  }
  return "";
}

async function main([endpoint, sender, senderPassword, company, user, userPassword, entity]) {
  const config = of(sdk.ClientConfig, {
    endpointUrl: endpoint,
    senderId: sender,
    senderPassword: senderPassword,
    companyId: company,
    userId: user,
    userPassword: userPassword,
    entityId: entity,
  });
  const seen = {};
  seen.wrongPassword = await refusal(() =>
    sdk.SessionProvider.factory(Object.assign(new sdk.ClientConfig(), config, { userPassword: "wrong" })));
  const session = await sdk.SessionProvider.factory(config);
  seen.endpoint = session.endpointUrl;
  const client = new sdk.OnlineClient(session);

  const question = new Query();
  question
    .assignSelectFields(new QuerySelect.SelectBuilder().addFields(["RECORDNO", "STATE", "VENDOR.NAME"]).selects)
    .assignFromObject("APBILL")
    .assignFilter(new QueryFilter.AndOperator([
      new QueryFilter.Filter("STATE").in(["Posted", "Paid"]),
      new QueryFilter.Filter("TRX_TOTALENTERED").greaterThan("0"),
    ]))
    .assignOrderBy(new QueryOrderBy.OrderBuilder().addDescending("RECORDNO").orders)
    .assignPageSize(3)
    .assignOffset(1);
  const page = (await client.execute(question)).getResult();
  seen.query = { count: page.count, total: page.totalCount, remaining: page.numRemaining, first: page.data[0] };

  const sum = (await client.execute(new Query()
    .assignFromObject("APBILL")
    .assignSelectFields(new QuerySelect.SelectBuilder().addField("STATE").addCount("RECORDNO").addSum("TRX_TOTALENTERED").selects))).getResult();
  seen.aggregates = sum.data;

  let part = (await client.execute(of(Common.ReadByQuery, { objectName: "APBILL", pageSize: 7, fields: ["RECORDNO"] }))).getResult();
  const records = part.data.map((row) => row.RECORDNO);
  while (part.numRemaining > 0) {
    part = (await client.execute(of(Common.ReadMore, { resultId: part.resultId }))).getResult();
    records.push(...part.data.map((row) => row.RECORDNO));
  }
  seen.readByQuery = records;

  const bills = (await client.execute(of(Common.Read, { objectName: "APBILL", keys: records.slice(0, 2) }))).getResult();
  seen.read = bills.data.map((bill) => [bill.RECORDNO, [].concat(bill.APBILLITEMS.apbillitem).length > 0]);
  seen.lookup = (await client.execute(of(Common.Lookup, { objectName: "VENDOR" }))).getResult().data[0].$.Name;
  seen.inspect = (await client.execute(of(Common.Inspect, { objectName: "*" }))).getResult().count;

  const created = (await client.execute(of(AccountsPayable.VendorCreate, {
    vendorId: "V-NEW", vendorName: "New & Co", active: true, printAs: "New", primaryEmailAddress: "new@example.com",
  }))).getResult();
  seen.created = created.data[0].VENDORID;
  seen.twice = await refusal(() => client.execute(of(AccountsPayable.VendorCreate, { vendorId: "V-NEW", vendorName: "Again" })));
  await client.execute(of(AccountsPayable.VendorUpdate, { vendorId: "V-NEW", onHold: true }));
  seen.readByName = (await client.execute(of(Common.ReadByName, { objectName: "VENDOR", names: ["V-NEW"] }))).getResult()
    .data.map((vendor) => [vendor.NAME, vendor.ONHOLD, vendor.DISPLAYCONTACT.EMAIL1]);

  const line = of(AccountsPayable.BillLineCreate, { glAccountNumber: "5000", transactionAmount: 12.5, memo: "Figs" });
  const bill = of(AccountsPayable.BillCreate, {
    vendorId: "V-NEW", transactionDate: new Date("2026-03-01T12:00:00"), dueDate: new Date("2026-03-31T12:00:00"),
    billNumber: "B-1", lines: [line],
  });
  const key = (await client.execute(bill)).getResult().key;
  await client.execute(of(AccountsPayable.BillUpdate, { recordNo: key, description: "changed" }));
  seen.bill = (await client.execute(of(Common.Read, { objectName: "APBILL", keys: [key] }))).getResult()
    .data.map((each) => [each.RECORDID, each.DESCRIPTION, each.TRX_TOTALENTERED]);
  await client.execute(of(AccountsPayable.BillDelete, { recordNo: key }));

  const unique = of(sdk.RequestConfig, { uniqueId: true });
  const once = of(AccountsPayable.VendorUpdate, { vendorId: "V-NEW", onHold: false, controlId: "once" });
  await client.execute(once, unique);
  seen.repeated = await refusal(() => client.execute(once, unique));

  const atomic = of(sdk.RequestConfig, { transaction: true });
  seen.rolledBack = await refusal(() => client.executeBatch([
    of(AccountsPayable.VendorUpdate, { vendorId: "V-NEW", vendorName: "Lost" }),
    of(AccountsPayable.VendorUpdate, { vendorId: "nobody", vendorName: "Lost" }),
  ], atomic));
  await client.execute(of(AccountsPayable.VendorDelete, { vendorId: "V-NEW" }));
  process.stdout.write(JSON.stringify(seen));
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack} ${(error.errors || []).join("; ")}\n`);
  process.exit(1);
});
