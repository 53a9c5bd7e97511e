"""What charts show, as plain data: a chart is drawn on the screen, in a terminal without one, and in a file from the same spec."""
