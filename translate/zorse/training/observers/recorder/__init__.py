"""The flight recorder: measures how a run is doing, raises named alarms, and takes a collapsed run back."""
