"""Files of the forms that labs have, made into tables in SI units: one module a form, one mapping, one join."""
