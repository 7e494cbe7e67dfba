"""One module a format; the table is `cpg.export.FORMATS`."""
