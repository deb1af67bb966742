"""The gateway's language, without any I/O: requests as XML, replies as typed outcomes, faults as errors of ours."""
