"""The flight recorder: measures how a run is doing, raises named alarms, and takes a collapsed run back.

recorder  the observer          gauges    from steps to signals
signals   measurements          alarms    what must be seen in them, and what to do
log       metrics.jsonl         rollback  back to the last healthy checkpoint
"""
