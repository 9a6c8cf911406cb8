"""Envoy's configuration: without a check on one port, with jwt_authn on another."""

FILTERS = "type.googleapis.com/envoy.extensions.filters.http"
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def envoy_configuration(plain, checked, upstream, jwks):
    listeners = [listener(plain, []), listener(checked, [jwt_filter(jwks)])]
    return {"static_resources": {"listeners": listeners, "clusters": [cluster(upstream)]}}


def socket_address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def listener(port, filters):
    router = {"name": "router", "typed_config": {"@type": f"{FILTERS}.router.v3.Router", "suppress_envoy_headers": True}}
    everything = {"match": {"prefix": "/"}, "route": {"cluster": "erpnext"}}
    manager = {
        "@type": MANAGER,
        "stat_prefix": f"port_{port}",
        "generate_request_id": False,
        "route_config": {"name": "all", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [everything]}]},
        "http_filters": [*filters, router],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": f"port_{port}", "address": socket_address(port), "filter_chains": [chain]}


def jwt_filter(jwks):
    """Verified tokens are kept, so a known one costs no signature."""
    provider = {
        "issuer": "https://erp.example.com",
        "local_jwks": {"inline_string": jwks},
        "forward": False,
        "claim_to_headers": [{"header_name": "x-remote-user", "claim_name": "sub"}, {"header_name": "x-remote-scope", "claim_name": "scope"}],
        "jwt_cache_config": {"jwt_cache_size": 1000},
    }
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}]
    config = {"@type": f"{FILTERS}.jwt_authn.v3.JwtAuthentication", "providers": {"bench": provider}, "rules": rules}
    return {"name": "envoy.filters.http.jwt_authn", "typed_config": config}


def cluster(upstream):
    """As many connections and requests as come: no proxy of the comparison has a limit there."""
    limits = {"max_connections": 4096, "max_pending_requests": 65536, "max_requests": 65536}
    endpoint = {"endpoint": {"address": socket_address(upstream)}}
    return {
        "name": "erpnext",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "erpnext", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
