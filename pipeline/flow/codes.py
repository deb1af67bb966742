"""The stable codes of findings about flow files, each with its one-line meaning. Nothing else lives here.

A code is never reused for another meaning; the message beside it may change.
"""

from __future__ import annotations

SYNTAX = "MLC-FLOW-0001"
DUPLICATE_KEY = "MLC-FLOW-0002"
EMPTY_FILE = "MLC-FLOW-0003"
UNREADABLE = "MLC-FLOW-0004"
TOO_LARGE = "MLC-FLOW-0005"
NOT_THE_FORM = "MLC-FLOW-0006"

UNKNOWN_KEY = "MLC-FLOW-0010"
MISSING_KEY = "MLC-FLOW-0011"
WRONG_VALUE = "MLC-FLOW-0012"
MISPLACED_KEY = "MLC-FLOW-0013"

NO_VERB = "MLC-FLOW-0020"
TWO_VERBS = "MLC-FLOW-0021"
UNKNOWN_VERB = "MLC-FLOW-0022"
STAGE_FORM = "MLC-FLOW-0023"
DUPLICATE_STAGE = "MLC-FLOW-0024"
UNKNOWN_COMPONENT = "MLC-FLOW-0025"
WRONG_VERB = "MLC-FLOW-0026"
NO_SETTINGS = "MLC-FLOW-0027"

UNKNOWN_CONNECTION = "MLC-FLOW-0030"
MISSING_VIA = "MLC-FLOW-0031"
CONNECTION_MISMATCH = "MLC-FLOW-0032"
UNKNOWN_CONNECTION_TYPE = "MLC-FLOW-0033"
NEEDLESS_VIA = "MLC-FLOW-0034"
UNSET_VARIABLE = "MLC-FLOW-0035"
LITERAL_SECRET = "MLC-FLOW-0036"  # noqa: S105  a code, not a secret
BAD_REFERENCE = "MLC-FLOW-0037"

UNKNOWN_INPUT = "MLC-FLOW-0040"
UNKNOWN_PORT = "MLC-FLOW-0041"
CYCLE = "MLC-FLOW-0042"
NOTHING_TO_READ = "MLC-FLOW-0043"
SOURCE_READS = "MLC-FLOW-0044"
UNUSED_OUTPUT = "MLC-FLOW-0045"
SINK_READ = "MLC-FLOW-0046"
NO_SOURCE = "MLC-FLOW-0047"
NO_SINK = "MLC-FLOW-0048"
BRANCH_ABOVE = "MLC-FLOW-0049"

BAD_EXPRESSION = "MLC-FLOW-0050"
EXPRESSION_FAILED = "MLC-FLOW-0051"
NO_SUCH_FIELD = "MLC-FLOW-0052"

NO_FILE = "MLC-FLOW-0060"
NO_IMPORT = "MLC-FLOW-0061"
NO_FUNCTION = "MLC-FLOW-0062"

AT_LEAST_ONCE = "MLC-FLOW-0070"

MEANINGS: dict[str, str] = {
    SYNTAX: "The file is not valid YAML.",
    DUPLICATE_KEY: "A key stands twice in one mapping.",
    EMPTY_FILE: "The file is empty.",
    UNREADABLE: "The file cannot be read, or is not UTF-8 text.",
    TOO_LARGE: "The file is larger or nested deeper than any flow file needs to be.",
    NOT_THE_FORM: "YAML that the form leaves out: tags, merge keys, several documents, keys that are no plain text.",
    UNKNOWN_KEY: "A key that this version does not know.",
    MISSING_KEY: "A required key is missing.",
    WRONG_VALUE: "A value has the wrong type or is out of bounds.",
    MISPLACED_KEY: "A key that exists, but not for this verb or not here.",
    NO_VERB: "A stage has no verb.",
    TWO_VERBS: "A stage has more than one verb.",
    UNKNOWN_VERB: "A stage's verb is none of the known ones.",
    STAGE_FORM: "An entry of the stage list is neither `name: {verb: component}` nor `{name: ..., verb: component}`.",
    DUPLICATE_STAGE: "Two stages have the same name.",
    UNKNOWN_COMPONENT: "No installed adapter offers the component.",
    WRONG_VERB: "The component is of another kind than the verb says.",
    NO_SETTINGS: "The component takes no settings, but `with` gives some.",
    UNKNOWN_CONNECTION: "`via` names a connection that is not declared.",
    MISSING_VIA: "The component needs a connection, but the stage has no `via`.",
    CONNECTION_MISMATCH: "`via` names a connection of another type than the component needs.",
    UNKNOWN_CONNECTION_TYPE: "No installed adapter offers the connection type.",
    NEEDLESS_VIA: "The component uses no connection, but the stage has a `via`.",
    UNSET_VARIABLE: "A reference has no value: the variable is unset or empty, or the file cannot be read.",
    LITERAL_SECRET: "A secret is written in the file instead of being referred to.",
    BAD_REFERENCE: "A `${...}` that is no reference.",
    UNKNOWN_INPUT: "`from` names a stage that does not exist.",
    UNKNOWN_PORT: "`from` names a port that the stage does not have, or names none where it must.",
    CYCLE: "The stages read each other in a circle.",
    NOTHING_TO_READ: "The first stage is not a source and reads nothing.",
    SOURCE_READS: "A source has a `from`.",
    UNUSED_OUTPUT: "Nobody reads what a stage, or a port of a branch, puts out.",
    SINK_READ: "A stage reads from a sink, which puts nothing out.",
    NO_SOURCE: "The flow has no source.",
    NO_SINK: "The flow has no sink.",
    BRANCH_ABOVE: "A stage below a branch does not say which port it reads.",
    BAD_EXPRESSION: "An expression does not compile.",
    EXPRESSION_FAILED: "An expression cannot be evaluated for a record.",
    NO_SUCH_FIELD: "An expression names a field that no record of its type has: the flow stops.",
    NO_FILE: "The code file of a custom stage does not exist, or lies outside the flow's folder.",
    NO_IMPORT: "The code file of a custom stage fails while it is imported.",
    NO_FUNCTION: "The code file of a custom stage has no such function or stage.",
    AT_LEAST_ONCE: "A sink cannot look up what it sent, so a delivery may take effect more than once.",
}
