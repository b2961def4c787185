"""One module for each tab of the page; each has a function that fills it."""
