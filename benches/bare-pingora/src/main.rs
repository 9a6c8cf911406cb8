//! The smallest Pingora proxy, with no filter at all: what a request through Pingora costs before anybody checks it.
//!
//! `bare-pingora LISTEN UPSTREAM [THREADS [TLS_LISTEN CERTIFICATE KEY]]`, the addresses as IP:PORT. The allocator, the
//! size of the upstream pool and, behind TLS, HTTP/2 are the gateway's.

use std::{env, net::SocketAddr};

use pingora::{
    listeners::tls::TlsSettings,
    prelude::{HttpPeer, ProxyHttp, Result, Server, Session, http_proxy_service},
    server::configuration::ServerConf,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: bare-pingora LISTEN UPSTREAM [THREADS [TLS_LISTEN CERTIFICATE KEY]]";

struct Bare {
    upstream: SocketAddr,
}

#[async_trait::async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

fn main() {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    let (listen, upstream, threads, tls) = match *arguments.as_slice() {
        [listen, upstream] => (listen, upstream, "1", None),
        [listen, upstream, threads] => (listen, upstream, threads, None),
        [listen, upstream, threads, tls, certificate, key] => {
            (listen, upstream, threads, Some((tls, certificate, key)))
        }
        _ => usage(),
    };
    let (Ok(upstream), Ok(threads)) = (upstream.parse(), threads.parse()) else { usage() };
    let conf = ServerConf {
        threads,
        upstream_keepalive_pool_size: 1024,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { upstream });
    service.add_tcp(listen);
    if let Some((listen, certificate, key)) = tls {
        let mut settings = TlsSettings::intermediate(certificate, key).expect("a certificate and its key");
        settings.enable_h2();
        service.add_tls_with_settings(listen, None, settings);
    }
    server.add_service(service);
    server.run_forever();
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2);
}
