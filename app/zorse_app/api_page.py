"""The documentation of the plain interface as a page that needs nothing but a browser: no script, no other server."""

import html
import json
from typing import Any

from zorse_app import texts

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9rem; }
pre { overflow-x: auto; padding: 0.8rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
      border-radius: 0.4rem; }
h2 code { font-size: 1.1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0;
         border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
"""

Schema = dict[str, Any]


def api_page(schema: Schema, prefix: str) -> str:
    """An HTML page.

    Args:
        schema: the OpenAPI document.
        prefix: of the paths in it.
    """
    title = html.escape(schema["info"]["title"])
    operations = [
        _operation(method, f"{prefix}{path}", operation, schema)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style></head>
<body>
<h1>{title} {html.escape(schema["info"]["version"])}</h1>
<p>{html.escape(schema["info"]["description"])}</p>
<pre>{html.escape(texts.API_EXAMPLE.format(prefix=prefix))}</pre>
<p><a href="openapi.json">openapi.json</a></p>
{"".join(operations)}
</body></html>
"""


def _operation(method: str, path: str, operation: Schema, schema: Schema) -> str:
    fields = "".join(_field(name, field, required) for name, field, required in _fields(operation, schema))
    answers = "".join(
        f"<tr><td><code>{html.escape(status)}</code></td><td>{html.escape(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    form = f"<h3>{texts.API_FIELDS}</h3><div class=scroll><table>{fields}</table></div>" if fields else ""
    return (
        f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{html.escape(operation['summary'])}. "
        f"{html.escape(operation.get('description', ''))}</p>{form}"
        f"<h3>{texts.API_ANSWERS}</h3><div class=scroll><table>{answers}</table></div>"
    )


def _fields(operation: Schema, schema: Schema) -> list[tuple[str, Schema, bool]]:
    """Name and schema of each field of a form, and whether it must be there."""
    if "requestBody" not in operation:
        return []
    reference = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["$ref"]
    form = schema["components"]["schemas"][reference.rpartition("/")[2]]
    return [(name, field, name in form.get("required", [])) for name, field in form["properties"].items()]


def _field(name: str, field: Schema, required: bool) -> str:
    is_file = "contentMediaType" in field or field.get("format") == "binary"
    kind = texts.API_FILE if is_file else field["type"]
    usual = texts.API_REQUIRED if required else texts.API_OPTIONAL.format(default=json.dumps(field["default"]))
    return (
        f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(kind)}, {html.escape(usual)}</td>"
        f"<td>{html.escape(field.get('description', ''))}</td></tr>"
    )
