"""The web application: an HTTP API and pages over the applications, in one process.

`serve` puts it together, `guard/` decides which requests come in, `watch/` knows how servers and encoders stand,
`text_desk` runs the text application in threads, `api/` and `pages/` render the same values.
"""
