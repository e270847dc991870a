"""Front end of the engines: from the source of a rule to a straight line of code."""
