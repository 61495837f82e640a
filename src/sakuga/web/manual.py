"""The API described for people: a page made of the OpenAPI description, without scripts."""

from __future__ import annotations

from html import escape

from sakuga.web.openapi import describe
from sakuga.web.parameters import Schema
from sakuga.web.settings import Settings

_EXAMPLE = "curl --data-binary @photo.jpg '{}api/paint?format=png' -o anime.png"


def manual(settings: Settings, address: str) -> str:
    """The description as HTML; its example asks the address, with a slash at its end."""
    sections = []
    for path, operations in describe(settings)["paths"].items():
        for method in ("get", "post", "delete"):
            if operation := operations.get(method):
                sections.append(_section(method, path, operation))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sakuga: the HTTP API</title>
<link rel="icon" href="/icon.svg">
<link rel="stylesheet" href="/style.css">
</head>
<body class="manual">
<main>
<p><a href="/">Back to painting</a></p>
<h1>The HTTP API</h1>
<p>For programs: <a href="/openapi.json">openapi.json</a>. An error is answered as JSON:
<code>{{"error": "what was wrong, what was found, what to do"}}</code>.</p>
<pre><code>{escape(_EXAMPLE.format(address))}</code></pre>
{"".join(sections)}
</main>
</body>
</html>
"""


def _section(method: str, path: str, operation: Schema) -> str:
    rows = "".join(
        f"<tr><th scope='row'><code>{escape(parameter['name'])}</code></th>"
        f"<td>{escape(parameter['description'])}{_range(parameter['schema'])}</td></tr>"
        for parameter in operation.get("parameters", [])
    )
    body = operation.get("requestBody")
    if body:
        rows += (
            "<tr><th scope='row'>body</th><td>The file itself, or a form with one file. "
            f"{escape(body['description'])}</td></tr>"
        )
    answers = "".join(
        f"<tr><th scope='row'>{status}</th><td>{escape(response['description'])}</td></tr>"
        for status, response in sorted(operation["responses"].items())
    )
    asked = f"<table><caption>What to send</caption>{rows}</table>" if rows else ""
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation['summary'])}</p>{asked}"
        f"<table><caption>Answers</caption>{answers}</table></section>"
    )


def _range(schema: Schema) -> str:
    if "enum" in schema:
        return " One of " + ", ".join(escape(str(value)) for value in schema["enum"]) + "."
    if "minimum" in schema:
        return f" From {schema['minimum']:g} to {schema['maximum']:g}."
    return ""
