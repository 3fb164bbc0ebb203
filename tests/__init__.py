"""The tests; a package, so that a library which installs one of the same name does not stand in its way."""
