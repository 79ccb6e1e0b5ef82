"""What suites found, for people: one page of HTML that needs no network, and Markdown and pictures for a README.

`reading` checks what lies in a folder, `answers` says it in sentences, `charts` draws it and `tables` lists it; `page`
and `markdown` put these together. No framework is imported, and nothing that comes from a file is trusted.
"""
