//! What the tests share: the real binary with a stand-in behind it, a client that leaves no byte to a library, a browser
//! with cookies, and the steps of a code flow.

mod agents;
mod browser;
mod clients;
mod config;
mod described;
mod device;
mod exchanging;
mod flow;
mod gateway;
mod http;
mod jwt;
mod keys;
mod ports;
mod publisher;
mod receiver;
mod registering;
mod wait;
mod websocket;

pub use self::{
    agents::{AGENT, AGENT_SCOPE},
    browser::{Browser, hidden},
    clients::{
        APP, Auth, Client, EDDSA, ES256, IMPLICIT, LEGACY, MANAGERS, PASSWORD, POST, SCOPED, SERVICE, SHOP, TRUSTED,
    },
    config::Setup,
    described::LOOPBACK,
    device::{DEVICE_GRANT, Device, TV, TV_BLOCK},
    exchanging::{
        ACCESS_TOKEN_TYPE, BACKEND, BACKEND_BLOCK, EXCHANGE_GRANT, RELAY, RELAY_BLOCK, exchange_token_request,
    },
    flow::{
        CHALLENGE, METHOD, Tokens, VERIFIER, authorize_url, client_request, exchange_request, is_invalid_token,
        parameters, query,
    },
    gateway::TestGateway,
    http::{Answer, Connection, Request},
    jwt::{claims, claims_by_document, claims_by_jwks, claims_by_secret, header},
    keys::{JWT_BEARER, SigningClient, token_hash},
    ports::Port,
    publisher::Publisher,
    receiver::Receiver,
    registering::{registration, registration_path},
    wait::{Over, pause, until},
    websocket::WebSocket,
};
