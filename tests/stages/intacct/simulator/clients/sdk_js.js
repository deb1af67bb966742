// Sage's own SDK against a simulator, unchanged. It takes no endpoint outside intacct.com, so that name is resolved to loopback here.
// usage: node sdk_js.js ENDPOINT SENDER SENDERPASSWORD COMPANY USER USERPASSWORD ENTITY; prints one JSON object: what it saw.
"use strict";

const dns = require("dns");
const lookup = dns.lookup;
dns.lookup = (host, options, callback) => lookup(host.endsWith(".intacct.com") ? "127.0.0.1" : host, options, callback);

const sdk = require("@intacct/intacct-sdk");
const { Common, AccountsPayable, Company, Purchasing, InventoryControl } = sdk.Functions;
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

async function result(client, made) {
  return (await client.execute(made)).getResult();
}

// Every operator of a query, and the older language; each as the records it finds.
async function operators(client) {
  const { Filter, AndOperator, OrOperator } = QueryFilter;
  const all = {
    equalTo: new Filter("STATE").equalTo("Posted"),
    notEqualTo: new Filter("STATE").notEqualTo("Posted"),
    lessThan: new Filter("RECORDNO").lessThan("50020"),
    lessThanOrEqualTo: new Filter("WHENCREATED").lessThanOrEqualTo("10/15/2026"),
    greaterThan: new Filter("WHENMODIFIED").greaterThan("10/15/2026 00:00:00"),
    greaterThanOrEqualTo: new Filter("RECORDNO").greaterThanOrEqualTo("50020"),
    between: new Filter("RECORDNO").between("50010", "50020"),
    in: new Filter("STATE").in(["Posted", "Paid"]),
    notIn: new Filter("STATE").notIn(["Posted", "Paid"]),
    like: new Filter("RECORDID").like("INV%"),
    notLike: new Filter("RECORDID").notLike("INV%"),
    isNull: new Filter("WHENDISCOUNT").isNull(),
    isNotNull: new Filter("WHENDISCOUNT").isNotNull(),
    nested: new OrOperator([
      new Filter("STATE").equalTo("Draft"),
      new AndOperator([new Filter("STATE").equalTo("Paid"), new Filter("RECORDNO").greaterThan("50010")]),
    ]),
  };
  const found = {};
  for (const [name, filter] of Object.entries(all)) {
    const query = new Query()
      .assignSelectFields(new QuerySelect.SelectBuilder().addField("RECORDNO").selects).assignFromObject("APBILL").assignFilter(filter).assignPageSize(2000);
    found[name] = (await result(client, query)).data.map((row) => Number(row.RECORDNO)).sort();
  }
  const folded = await result(client, new Query()
    .assignSelectFields(new QuerySelect.SelectBuilder().addField("RECORDNO").selects)
    .assignFromObject("APBILL").assignFilter(new Filter("STATE").equalTo("posted")).assignCaseInsensitive(true));
  const kind = await refusal(() => result(client, new Query()
    .assignSelectFields(new QuerySelect.SelectBuilder().addField("DOCID").selects).assignFromObject("PODOCUMENT").assignDocParId("No such kind")));
  const coded = await result(client, of(Common.ReadByQuery, {
    objectName: "APBILL", query: of(Common.Query.Comparison.EqualTo.EqualToString, { field: "STATE", value: "A" }),
  }));
  const listed = await result(client, of(Common.GetList.GetList || Common.GetList, { object: "vendor" }));
  return { operators: found, folded: folded.count, kind, coded: coded.count, listed: [listed.totalCount, listed.start, listed.end, listed.data.length] };
}

async function contacts(client) {
  await result(client, of(Company.ContactCreate, {
    contactName: "Jane", printAs: "Jane Doe", companyName: "Doe", active: true, addressLine1: "1 Main St", city: "Salem", country: "United States",
  }));
  await result(client, of(Company.ContactUpdate, { contactName: "Jane", primaryPhoneNo: "555", active: false }));
  const [contact] = (await result(client, of(Common.ReadByName, { objectName: "CONTACT", names: ["Jane"] }))).data;
  await result(client, of(AccountsPayable.VendorCreate, {
    vendorId: "V-JANE", vendorName: "Jane's", payToContactName: "Jane", primaryContactName: "Jane", returnToContactName: "Jane", paymentTerm: "Net 30",
    achEnabled: true, preferredPaymentMethod: "ACH", restrictionType: "Restricted", restrictedLocations: ["10"],
  }));
  const used = await refusal(() => result(client, of(Company.ContactDelete, { contactName: "Jane" })));
  return { contact: [contact.PRINTAS, contact.COMPANYNAME, contact.PHONE1, contact.STATUS, contact.MAILADDRESS.CITY], used };
}

async function attachments(client) {
  await result(client, of(Company.AttachmentsFolderCreate, { folderName: "Scans", description: "of bills" }));
  await result(client, of(Company.AttachmentsFolderUpdate, { folderName: "Scans", parentFolderName: "Bills" }));
  await result(client, of(Company.AttachmentsCreate, {
    attachmentsId: "A-1", attachmentsName: "Scan", attachmentFolderName: "Scans", files: [of(Company.AttachmentFile, { filePath: __filename })],
  }));
  await result(client, of(Company.AttachmentsUpdate, { attachmentsId: "A-1", description: "first page" }));
  const [found] = (await result(client, of(Common.GetList.GetList || Common.GetList, { object: "supdoc" }))).data;
  await result(client, of(Company.AttachmentsDelete, { attachmentsId: "A-1" }));
  await result(client, of(Company.AttachmentsFolderDelete, { folderName: "Scans" }));
  return { attachment: [found.supdocid, found.folder, found.description, found.attachments.attachment.attachmenttype] };
}

async function purchasing(client) {
  await result(client, of(InventoryControl.ItemCreate, { itemId: "I-NEW", itemName: "Figs", itemType: "Inventory" }));
  const day = new Date("2026-10-20T12:00:00");
  const line = (quantity) => of(Purchasing.PurchasingTransactionLineCreate, { itemId: "I-NEW", quantity, unit: "Each", price: 2.5, memo: "fresh" });
  const order = of(Purchasing.PurchasingTransactionCreate, {
    transactionDefinition: "Purchase Order", transactionDate: day, vendorId: "V-JANE", documentNumber: "N-1", dueDate: day, message: "ripe",
    transactionCurrency: "USD", exchangeRateValue: 1, state: "Pending", lines: [line(4)],
    subtotals: [of(InventoryControl.TransactionSubtotalCreate, { description: "Freight", absoluteValue: 3 })],
  });
  const key = (await result(client, order)).key;
  await result(client, of(Purchasing.PurchasingTransactionUpdate, {
    documentNumber: key, message: "riper", lines: [of(Purchasing.PurchasingTransactionLineUpdate, { lineNo: 1, quantity: 6 }), line(1)],
  }));
  const read = async (name) => (await result(client, of(Common.ReadByName, { objectName: "PODOCUMENT", names: [name] }))).data[0];
  const open = await read(key);
  const invoice = (await result(client, of(Purchasing.PurchasingTransactionCreate, {
    transactionDefinition: "Vendor Invoice", createdFrom: key, transactionDate: day, vendorId: "V-JANE", documentNumber: "N-2", vendorDocNumber: "J-1", dueDate: day,
    lines: [line(6)],
  }))).key;
  const bill = (await read(invoice)).PRRECORDKEY;
  await result(client, of(Purchasing.PurchasingTransactionUpdate, {
    documentNumber: invoice, lines: [of(Purchasing.PurchasingTransactionLineUpdate, { lineNo: 1, quantity: 7 })],
  }));
  const again = (await read(invoice)).PRRECORDKEY;
  const converted = (await read(key)).STATE;
  const early = await refusal(() => result(client, of(Purchasing.PurchasingTransactionApprove, { externalId: invoice })));
  await result(client, of(Purchasing.PurchasingTransactionDelete, { documentId: invoice }));
  return {
    order: [open.DOCID, open.STATE, open.MESSAGE, open.TRX_TOTAL, open.PODOCUMENTENTRIES.podocumententry.length],
    invoice: [bill !== again, converted, (await read(key)).STATE, early],
  };
}

async function payments(client) {
  const day = new Date("2026-10-20T12:00:00");
  const pay = async (method) => {
    const line = of(AccountsPayable.BillLineCreate, { glAccountNumber: "5000", transactionAmount: 10, projectId: "P-100", classId: "REG", billable: true });
    const bill = Number((await result(client, of(AccountsPayable.BillCreate, { vendorId: "V-JANE", transactionDate: day, dueDate: day, lines: [line] }))).key);
    const info = of(AccountsPayable.ApPaymentInfo, {
      paymentMethod: method, financialEntityId: "BANK-USD", vendorId: "V-JANE", paymentDate: day, transactionCurrency: "USD", documentNo: "77",
      apPaymentDetails: [new AccountsPayable.ApPaymentDetailBill(of(AccountsPayable.ApPaymentDetailBillInfo || AccountsPayable.ApPaymentDetailInfo, { recordNo: bill, paymentAmount: 10 }))],
    });
    return [bill, info, Number((await result(client, new AccountsPayable.ApPaymentCreate(info))).data[0].RECORDNO)];
  };
  const state = async (bill) => (await result(client, of(Common.Read, { objectName: "APBILL", keys: [bill] }))).data[0].STATE;
  const [bill, , payment] = await pay("Printed Check");
  const states = [await state(bill)];
  for (const Step of [AccountsPayable.ApPaymentApprove, AccountsPayable.ApPaymentConfirm, AccountsPayable.ApPaymentVoid]) {
    await result(client, new Step(payment));
    states.push(await state(bill));
  }
  const [cash, , paid] = await pay("Cash");
  states.push(await state(cash));
  await result(client, of(AccountsPayable.ApPaymentReverse, { recordNo: paid, reverseDate: day, memo: "bounced" }));
  const [requested, info, request] = await pay("ACH");
  await result(client, new AccountsPayable.ApPaymentUpdate(Object.assign(info, { recordNo: request, memo: "changed" })));
  await result(client, new AccountsPayable.ApPaymentDelete(request));
  states.push(await state(requested));
  await result(client, of(AccountsPayable.BillReverse, { recordNo: requested, reverseDate: day, memo: "wrong" }));
  states.push(await state(requested));
  return { states };
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
  Object.assign(seen, await operators(client), await contacts(client), await attachments(client), await purchasing(client), await payments(client));
  process.stdout.write(JSON.stringify(seen));
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack} ${(error.errors || []).join("; ")}\n`);
  process.exit(1);
});
