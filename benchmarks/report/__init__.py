"""Reports of suite results: one HTML page that needs no network, and Markdown and pictures for a README.

`results_reader` reads and checks the files, `answers` writes sentences, `charts` draws, `tables` lists; `page` and
`markdown` combine them. No framework is imported, and no content of a file is trusted.
"""
