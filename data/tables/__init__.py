"""Tables with a header, words, dates and gaps: read by polars, and encoded as one number per cell.

polars and not pandas, because one package reads every format here: pandas needs pyarrow for parquet and feather. On two
cores, importing polars 2.1 took 0.11 s and 39 MB; pandas 3.0 took 0.29 s and 94 MB, pyarrow 0.33 s and 107 MB more.
"""
