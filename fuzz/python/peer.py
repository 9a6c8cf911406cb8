"""Tells the fuzz targets over a pipe what the Python in front of ERPNext makes of a request.

A question is a kind (one byte) and two texts of bytes, each preceded by its length in four bytes, the lowest first; an
answer is one line of JSON. What is imported is what a Frappe 15 site runs; what is copied from Frappe itself is marked.
"""

import io
import json
import struct
import sys

from gunicorn.util import split_request_uri, unquote_to_wsgi_str
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule, Submount
from werkzeug.wrappers import Request

# `frappe.api`, whose endpoints are named here by what they do.
V1 = [
    Rule("/method/<path:method>", endpoint="call"),
    Rule("/resource/<doctype>", methods=["GET"], endpoint="doctype"),
    Rule("/resource/<doctype>", methods=["POST"], endpoint="doctype"),
    Rule("/resource/<doctype>/<path:name>/", methods=["GET"], endpoint="document"),
    Rule("/resource/<doctype>/<path:name>/", methods=["PUT"], endpoint="document"),
    Rule("/resource/<doctype>/<path:name>/", methods=["DELETE"], endpoint="document"),
    Rule("/resource/<doctype>/<path:name>/", methods=["POST"], endpoint="document"),
]
V2 = [
    Rule("/method/login", endpoint="fixed"),
    Rule("/method/logout", endpoint="fixed"),
    Rule("/method/ping", endpoint="fixed"),
    Rule("/method/upload_file", endpoint="fixed"),
    Rule("/method/<method>", endpoint="call_v2"),
    Rule("/method/run_doc_method", methods=["GET", "POST"], endpoint="fixed"),
    Rule("/method/<doctype>/<method>", endpoint="beside"),
    Rule("/document/<doctype>", methods=["GET"], endpoint="doctype"),
    Rule("/document/<doctype>", methods=["POST"], endpoint="doctype"),
    Rule("/document/<doctype>/<path:name>/", methods=["GET"], endpoint="document"),
    Rule("/document/<doctype>/<path:name>/", methods=["PATCH", "PUT"], endpoint="document"),
    Rule("/document/<doctype>/<path:name>/", methods=["DELETE"], endpoint="document"),
    Rule("/document/<doctype>/<path:name>/method/<method>/", methods=["GET", "POST"], endpoint="document"),
    Rule("/doctype/<doctype>/meta", methods=["GET"], endpoint="doctype"),
    Rule("/doctype/<doctype>/count", methods=["GET"], endpoint="doctype"),
]
API = Map(
    [Submount("/api", V1), Submount("/api/v1", V1), Submount("/api/v2", V2)],
    strict_slashes=False,
    merge_slashes=False,
)


def environ(method, uri, content_type=None, body=b""):
    """As gunicorn makes it; `uri` and `content_type` are bytes."""
    parts = split_request_uri(uri.decode("latin-1"))
    made = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_wsgi_str(parts.path or ""),
        "QUERY_STRING": parts.query or "",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "erp",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "erp",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }
    if content_type is not None:
        made["CONTENT_TYPE"] = content_type.decode("latin-1")
        made["CONTENT_LENGTH"] = str(len(body))
    return made


def form_dict(request):
    """`frappe.app.make_form_dict`."""
    data = request.get_data(as_text=True)
    if data and request.is_json:
        args = json.loads(data)
    else:
        args = {}
        args.update(request.args or {})
        args.update(request.form or {})
    if isinstance(args, list):
        return {"data": args}
    if not isinstance(args, dict):
        raise ValueError("Invalid request arguments")
    args.pop("_", None)
    return args


def written(request, fields):
    """`frappe.api.v1.get_request_form_data`."""
    data = fields.get("data")
    if data is None:
        data = request.get_data()
        try:
            data = data.decode("utf-8")
        except UnicodeDecodeError:
            return None
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            data = fields
    return data if isinstance(data, dict) else None


def of_target(method, uri):
    request = Request(environ(method.decode(), uri))
    fields = form_dict(request)
    does = None
    try:
        endpoint, names = API.bind_to_environ(request.environ).match()
        does = {"endpoint": endpoint, **names}
        if endpoint == "call":
            does["method"] = names["method"].split("/")[0]
    except HTTPException:
        pass
    return {
        "path": request.path,
        "args": list(request.args.items(multi=True)),
        "cmd": fields.get("cmd"),
        "does": does if request.path.startswith("/api/") else None,
    }


def of_body(content_type, body):
    request = Request(environ("PUT", b"/api/resource/Item/x", content_type, body))
    fields = form_dict(request)
    written_fields = written(request, fields)
    # A part without a name is a field that nothing asks for.
    fields.pop(None, None)
    return {"fields": fields, "written": written_fields}


def read(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        sys.exit(0)
    return data


def text():
    return read(*struct.unpack("<I", read(4)))


def answer():
    kind, first, second = read(1), text(), text()
    try:
        return (of_target if kind == b"T" else of_body)(first, second)
    # A request that ERPNext answers with an error, whatever the error is.
    except (HTTPException, ValueError, RecursionError, UnicodeError):
        return None


def main():
    while True:
        line = json.dumps(answer())
        # Half a surrogate pair is no text to anybody else.
        sys.stdout.buffer.write(line.encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


main()
