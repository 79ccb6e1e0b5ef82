"""Time series: rows in the order of time, of one or several series, cut into windows and the values after them."""
