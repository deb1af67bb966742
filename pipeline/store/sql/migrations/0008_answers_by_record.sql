-- An answer in a message that two flows read is told once: it is looked up by the message, whichever flow it was.
create index acknowledgements_by_record on acknowledgements (object, key, company);
