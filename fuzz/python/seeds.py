"""Writes the first inputs of the fuzz targets into FOLDER/<target>/: python/seeds.py FOLDER.

What has been found since is in fuzz/corpus/, minimised; this is for whoever begins anew.
"""

import base64
import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESERVED = "frappe.integrations.oauth2.get_token"


def targets():
    paths = ["/", "/api/method/x.y", "/api/method/x.y/z", "/api/v1/method/x.y", "/api/v2/method/x.y", "/api/v2/method/User/x",
             "/api/method/login", "/api/method/evil.call", "/api/v2/method/run_doc_method", f"/api/method/{RESERVED}",
             "/api/resource/Item", "/api/resource/Sales%20Invoice/A%2F1/", "/api/v2/document/Item/x/method/y",
             "/api/v2/doctype/Item/count", "/api/resource/Forbidden/x", "/socket.io/?sid=1", "//api///resource/Item",
             "/app;x=1/../y", "/%61pi/%252e", "/assets/%e2%82%ac", "/api/method/frappe.client.get?doctype=Item&name=x",
             "/?cmd=x.y", "/?%63md=evil.call&a=%ff+%zz", f"/?x={RESERVED}", "/x?sid=1", "/?cmd=&cmd=login", "/a?b?c=d;e&&f"]
    return [bytes([method]) + path.encode() for path in paths for method in range(7)]


def bodies():
    cases = json.loads((ROOT / "tests/vectors/werkzeug-bodies.json").read_text())
    made = [case["content_type"].encode() + b"\n" + base64.b64decode(case["body"]) for case in cases]
    for kind, body in [
        ("application/json", '{"cmd":"evil.call","doctype":"Forbidden","a":{"sid":1},"b":[1e5,"\\ud83d\\ude00"]}'),
        ("application/x-www-form-urlencoded", "cmd=frappe.client.get&doctype=Forbidden&data=%7B%22doctype%22%3A%22Forbidden%22%7D"),
        ("application/x-www-form-urlencoded", f"method={RESERVED}"),
        ("text/plain", '{"doctype":"Forbidden","parenttype":"Forbidden"}'),
        ('multipart/form-data; boundary="B"',
         '--B\r\nContent-Disposition: form-data; name="cmd"\r\n\r\nevil.call\r\n'
         '--B\r\nContent-Disposition: form-data; name="f"; filename="x"\r\nContent-Type: text/plain\r\n\r\nsid\r\n--B--\r\n'),
    ]:
        made.append(f"{kind}\n{body}".encode())
    return made


def lines(*texts):
    return [text.encode() for text in texts]


def redirects():
    made = []
    for uri in ["https://a.example/cb", "http://127.0.0.1/cb?x=1", "http://localhost:3000/", "http://[::1]:7/x", "com.app:/cb",
                "https://a.example:8443/cb/?a=b"]:
        made += [uri.encode() + b"\n" + bytes([kept]) + rest for kept in (0, 7, 16, 17, 200)
                 for rest in (b"", b":51515/cb", b":80@evil/", b"https://evil/", uri.encode())]
    return made


def words():
    return lines("openid all profile", "read:Sales_Order  email", '{"id_token":{"email":null,"sub":{"value":"1"}},"userinfo":{}}',
                 "login consent", "none", "code id_token token", "grant_type=refresh_token&scope=all+openid&state=%2B%2520&a&a=b",
                 '{"grant_type":"password","n":1.5,"b":true,"o":{}}', "resource=1&resource=2&audience=3")


def hints():
    whole = [bytes([at, 46, at + 1, 46, at + 2]) for at in (1, 4, 7, 10, 13)]
    header = b'\x1e{"alg":"HS256","typ":"JWT","kid":"x"}\x1f'
    claims = b'\x1e{"iss":"https://erp.example.com","sub":"1","aud":"c"}\x1f'
    none = b'\x1e{"alg":"none"}\x1f.' + claims + b"."
    return whole + [none] + [header + b"." + claims + b"." + bytes([key]) for key in range(16, 30)]


def configurations():
    files = [*ROOT.glob("conf/*.toml"), ROOT / "fuzz/targets/rules.toml"]
    server = b'[server]\npublic_url = "https://erp.example.com"\n[erpnext]\napi_key = "k:s"\n'
    client = (b'[[client]]\nid = "c"\nsecret = "s3cret"\nredirect_uris = ["https://a.example/cb"]\nscopes = "all openid"\n')
    return [path.read_bytes() for path in files] + [server, server + client]


def heads():
    made = []
    for line in ["GET / HTTP/1.1", "POST /api/method/x?a=\"b\"<> HTTP/1.1", "GET /x HTTP/1.0", "get / HTTP/1.1", "CONNECT x:1 HTTP/1.1"]:
        for fields in ["Host: erp", "Host: [::1]:80\r\nContent-Length: 5", "Host: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue",
                       "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", "Host: a\r\nHost: b", "Host: a\r\n folded: x",
                       "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c", "Host: a\nX: y", "Host : a", "X: y",
                       "Host: a\r\nConnection: close, Content-Length", "Host: a\r\nHTTP2-Settings: x\r\nX: \x80\t"]:
            made.append(f"{line}\r\n{fields}\r\n\r\n".encode("latin-1"))
    return made


SEEDS = {
    "target": targets,
    "body": bodies,
    "bearer": lambda: lines("Bearer $", "bearer  a.b-c_~+/==", "token k:s", "Basic a2V5OnNlY3JldA==", "Foo $", "Bearer $\nBearer $",
                            "Bearer x$", "token $", "Foo a=\"$\"", "Bearer\t$", "BEARER emp_at_x", "Bearer a b"),
    "redirect_uri": redirects,
    "scopes_claims": words,
    "id_token_hint": hints,
    "config": configurations,
    "codec": lambda: [b"\x01\x07" + text for text in (
        b"", b"hunter2", b"\xff\xfe", b"\x01" + bytes(40),
        b'{"grant":"g","client":"c","user":{"name":"alice","sub":"1"},"redirect_uri":"https://a/","redirect_uri_named":true,'
        b'"scopes":"all","nonce":null,"code_challenge":null,"auth_time":1,"session_claim":null,"id_token_claims":[],'
        b'"issued_at":1,"expires_at":2}')],
    "head": heads,
    "chunks": lambda: lines("0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "a;x=y\r\n", "0\r\nX: y\r\n\r\n", "00000001\r\na\r\n000000000\r\n",
                            "1\na\n0\n\n", "-1\r\n", "FFFFFFFF\r\nx", "2\r\nab\r\n1\r\nc\r\n0\r\n\r\nmore"),
}

for target, seeds in SEEDS.items():
    folder = pathlib.Path(sys.argv[1]) / target
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
