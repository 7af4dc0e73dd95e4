"""What begins a line that a deployed run says, in its log at the SuperLink, to whoever submitted it."""

LINE = "fedrec| "
RESULT = "fedrec-result "
FAULT = "fedrec-fault "
