"""One frozen model in memory that answers for many transducers at once.

    request ── app ──> service: limits, graph and tokens ──> batching: a queue, one thread
                                                                 │ oldest first, same number of beams
                                                                 ▼
                       generation: each transducer makes its own rows' embeddings; one padded batch; one `generate`

`transducers` is the table of what is served, `settings` the limits, `errors` what a client is told, `metrics` the figures,
`app` and `server` HTTP. The command is `python -m transducer.serve`.
"""
