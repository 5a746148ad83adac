"""Numbers become verdicts: measured, held against limits, told in a report. No row is seen here."""
