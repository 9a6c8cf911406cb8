"""Writes werkzeug-bodies.json: bodies, and what Frappe 15 takes from them.

Run it with the Python of a bench (`env/bin/python`), which has werkzeug; it was made with werkzeug 3.0.6. The fragments
are thrown together at random, so that most bodies are nearly right.
"""

import base64
import json
import pathlib
import random

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

FORM = ["sid", "cmd", "doctype", "s%69d", "%63md", "=", "=", "&", "&", "+", "%", "%4", "%26", "%3D", "a", "x.y", ";", "\r\n"]
JSON = ['"sid"', '"cmd"', '"\\u0073id"', '"c\\u006dd"', '"a"', '"x\\"sid"', '"\\\\"', ":", ":", ",", ",", "{", "}", "[", "]", "1", "null",
        "NaN", " ", "\n", '{"sid":1}', '"sid":1', '"cmd":"x.y"', '"doctype":"User"']
HEADS = ["Content-Disposition: form-data; name=\"sid\"", "Content-Disposition: form-data; name=cmd", "content-disposition:x;name=\"doctype\"",
         "Content-Disposition: form-data;\r\n name=\"sid\"", "Content-Disposition: form-data; name*=utf-8''%73id",
         "Content-Disposition: form-data; name=\"cmd\"; filename=\"f\"", "Content-Disposition: form-data; filename=\"a;name=b\"; name=\"cmd\"",
         "Content-Disposition: form-data; name=\"a\\\"; name=\\\"sid\"", "Content-Type: text/plain", "X: y", "Content-Disposition: form-data"]
ENDS = ["\r\n", "\r\n", "\r\n", "\n", "\r"]
DATA = ["x.y", "", "sid", "--B", "--Bx", "-", "\r\n", "\n", "\r", "--C\r\n", "name=\"sid\""]


def some(of, most):
    return "".join(random.choices(of, k=random.randint(0, most)))


def json_text():
    if random.random() < 0.4:
        return some(JSON, 12)
    members = [random.choice(['"sid"', '"cmd"', '"a"', '"c\\u006dd"', '"doctype"']) + random.choice([":", " : "])
               + random.choice(['"x.y"', "1", '{"sid":1}', '["cmd"]', '"\\"sid\\":1"', "null"]) for _ in range(random.randint(0, 3))]
    return "{" + ",".join(members) + "}" + random.choice(["", "", " ", "x"])


def multipart():
    end = random.choice(ENDS)
    body = random.choice(["", "", "", end, "x" + end])
    for _ in range(random.randint(0, 3)):
        heads = random.sample(HEADS, random.choice([1, 1, 1, 2]))
        body += "--B" + random.choice(["", "", " ", "x"]) + end + end.join(heads) + end + random.choice([end, end, end, ""])
        body += some(DATA, 3) + random.choice([end, end, ""])
    return body + random.choice(["--B--", "--B--" + end, "--B", ""])


def form_dict(content_type, body):
    """`frappe.app.make_form_dict`."""
    request = Request(EnvironBuilder(method="POST", data=body, content_type=content_type).get_environ())
    data = request.get_data(as_text=True)
    if data and request.is_json:
        args = json.loads(data)
    else:
        args = {}
        args.update(request.args or {})
        args.update(request.form or {})
    return args if isinstance(args, dict) else {}


def case(kind):
    content_type, make = kind
    body = make().encode()
    try:
        fields = form_dict(content_type, body)
        seen = {name: json.dumps(fields[name]) for name in ("sid", "cmd", "doctype") if name in fields}
    except ValueError:
        seen = None
    return {"content_type": content_type, "body": base64.b64encode(body).decode(), "seen": seen}


random.seed(15)
KINDS = [
    ("application/x-www-form-urlencoded", lambda: some(FORM, 12)),
    ("Application/X-WWW-form-urlencoded; charset=utf-8", lambda: some(FORM, 8)),
    ("application/json", json_text),
    ("application/vnd.api+json; charset=x", json_text),
    ("text/json", json_text),
    ("multipart/form-data; boundary=B", multipart),
    ("multipart/form-data; charset=utf-8; boundary=\"B\"", multipart),
]
cases = {}
while len(cases) < 1200:
    made = case(random.choice(KINDS))
    cases[(made["content_type"], made["body"])] = made
lines = ",\n".join(json.dumps(made, separators=(",", ":")) for made in cases.values())
pathlib.Path(__file__).with_suffix(".json").write_text(f"[\n{lines}\n]\n")
