"""Sakuga in a browser: an app on one's own machine, and its HTTP API.

    settings   what was asked of the server, and its limits
    server     a socket, uvicorn, a private folder that is gone afterwards, an end within 5 seconds
    security   which requests are answered at all: Host, Origin, token, security headers
    app        the routes
    endpoints  what each of them does; `design` has those of the page Design
    uploads    a request's body -> a private file, within limits of size, time and kind
    parameters what may be asked of a painting: style, strength, stroke, format ...
    pool       threads that paint, and how many may wait for them
    painting   one uploaded picture, painted
    jobs       videos, painted one after the other; progress, preview, cancel
    errors     what went wrong, as status and sentence
    metrics    counters in Prometheus' text format
    openapi    the API described, for programs; `manual` makes a page of it for people
    page/      the page itself; it also runs without this server (see the folder web/)

A request passes security, app, endpoints, pool and painting, in that order.
"""
