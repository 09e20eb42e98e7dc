//! The door behind TLS, and HTTP/2 with and without it.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use http::{Request, Version};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use weir_domain::ErrorKind;
use weir_gateway::{Options, Peer, ServeOptions, Tls, TlsOptions, serve};

use crate::support::{self, BOUND, STRUCTURED, event, head, memory, serve_options};

const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// Long enough for a client that goes on, and short enough to wait for.
const SHORT: Duration = Duration::from_millis(50);

/// Who issues certificates.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        Identity { certificate: params.signed_by(&key, &self.issuer).expect("a certificate"), key }
    }

    /// A client that trusts this authority.
    fn client(&self, protocols: &[&[u8]], identity: Option<&Identity>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has ciphers")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key");
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).expect("they belong together")
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config).into()
    }
}

/// A certificate with its key.
struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

/// The files of a server, and who issued what is in them.
struct Site {
    directory: TempDir,
    authority: Authority,
    options: TlsOptions,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name| directory.path().join(name);
        let options = TlsOptions { certificate: path("certificate.pem"), key: path("key.pem"), client_ca: None };
        let site = Self { directory, authority: Authority::new(), options };
        site.renew();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts another certificate into the files.
    fn renew(&self) -> CertificateDer<'static> {
        let Identity { certificate, key } = self.authority.issue();
        write(&self.options.certificate, &certificate.pem());
        write(&self.options.key, &key.serialize_pem());
        certificate.der().clone()
    }

    fn tls(&self) -> Tls {
        Tls::load(self.options.clone()).expect("good files")
    }

    /// Checks that the files are refused.
    fn check_refused(&self, kind: ErrorKind, message: &str) {
        let error = Tls::load(self.options.clone()).expect_err("bad files");
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file that can be written");
}

/// Says in a header who asks, and how.
async fn who(request: Request<Body>) -> [(&'static str, String); 1] {
    let peer = request.extensions().get::<Peer>().expect("what comes by a connection has a peer");
    [("x-peer", told(request.version(), peer.address, peer.tls, peer.certificate.is_some()))]
}

fn told(version: Version, address: SocketAddr, tls: bool, certificate: bool) -> String {
    format!("{version:?} from {address}, TLS {tls}, certificate {certificate}")
}

/// A server that says who asks.
struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<io::Result<()>>,
}

impl Served {
    async fn new(options: ServeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Router::new().fallback(who), async move { drop(stopped.await) }, options));
        Self { address, stop, tasks }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    async fn connect_tls(&self, client: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        handshake(client, self.connect().await).await
    }

    async fn stop(mut self) {
        self.stop.send(()).expect("it serves");
        let ended = timeout(BOUND, self.tasks.join_next()).await.expect("in time").expect("one task");
        ended.expect("no panic").expect("no error");
    }
}

fn options(tls: Option<Tls>) -> ServeOptions {
    ServeOptions { tls, ..serve_options() }
}

async fn handshake(client: &TlsConnector, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").expect("a name");
    timeout(BOUND, client.connect(name, stream)).await.expect("in time")
}

fn local(stream: &TlsStream<TcpStream>) -> SocketAddr {
    stream.get_ref().0.local_addr().expect("an address")
}

/// The certificate that the server has shown.
fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let chain = stream.get_ref().1.peer_certificates().expect("a handshake");
    chain.first().expect("a certificate").clone()
}

/// Asks in HTTP/1.1, and returns who asked.
async fn ask_http1(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: weir\r\n\r\n").await.expect("written");
    stream.flush().await.expect("written");
    let head = head(stream).await;
    let peer = head.lines().find_map(|line| line.strip_prefix("x-peer: "));
    peer.expect("an answer of the router").to_owned()
}

/// Begins HTTP/2; a task of these drives the connection.
async fn begin_http2<I>(io: I, tasks: &mut JoinSet<hyper::Result<()>>) -> SendRequest<Body>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.expect("a connection of HTTP/2");
    tasks.spawn(connection);
    sender
}

/// Asks in HTTP/2, and returns who asked.
async fn ask_http2(sender: &mut SendRequest<Body>) -> String {
    let request = Request::get("https://localhost/").body(Body::empty()).expect("a request");
    let response = timeout(BOUND, sender.send_request(request)).await.expect("in time").expect("an answer");
    response.headers()["x-peer"].to_str().expect("ASCII").to_owned()
}

/// Waits until the other end has closed the connection; how depends on what was still unread.
async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut bytes = Vec::new();
    let ended = timeout(BOUND, stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn the_handshake_chooses_the_protocol() {
    let site = Site::new();
    let served = Served::new(options(Some(site.tls()))).await;
    for protocols in [&[HTTP1][..], &[]] {
        let client = site.authority.client(protocols, None);
        let mut stream = served.connect_tls(&client).await.expect("a handshake");
        let expected = told(Version::HTTP_11, local(&stream), true, false);
        assert_eq!(ask_http1(&mut stream).await, expected);
        assert_eq!(ask_http1(&mut stream).await, expected);
    }
    let mut tasks = JoinSet::new();
    for protocols in [&[HTTP1, HTTP2][..], &[HTTP2]] {
        let client = site.authority.client(protocols, None);
        let stream = served.connect_tls(&client).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(HTTP2));
        let expected = told(Version::HTTP_2, local(&stream), true, false);
        let mut sender = begin_http2(stream, &mut tasks).await;
        assert_eq!(ask_http2(&mut sender).await, expected);
        assert_eq!(ask_http2(&mut sender).await, expected);
    }
    let client = site.authority.client(&[b"spdy/3"], None);
    served.connect_tls(&client).await.expect_err("no protocol in common");
    let mut clear = served.connect().await;
    clear.write_all(b"GET / HTTP/1.1\r\nhost: weir\r\n\r\n").await.expect("written");
    closed(&mut clear).await;
    served.stop().await;
}

#[tokio::test]
async fn without_tls_the_first_bytes_choose_the_protocol() {
    let served = Served::new(options(None)).await;
    let mut stream = served.connect().await;
    let expected = told(Version::HTTP_11, stream.local_addr().expect("an address"), false, false);
    assert_eq!(ask_http1(&mut stream).await, expected);
    assert_eq!(ask_http1(&mut stream).await, expected);

    let stream = served.connect().await;
    let expected = told(Version::HTTP_2, stream.local_addr().expect("an address"), false, false);
    let mut tasks = JoinSet::new();
    let mut sender = begin_http2(stream, &mut tasks).await;
    assert_eq!(ask_http2(&mut sender).await, expected);
    assert_eq!(ask_http2(&mut sender).await, expected);

    // A method that begins as the beginning of HTTP/2 does, and comes in pieces.
    let mut stream = served.connect().await;
    stream.set_nodelay(true).expect("a socket");
    for piece in ["P", "R", "OPFIND / HTTP/1.1\r\nhost: weir\r\n\r\n"] {
        stream.write_all(piece.as_bytes()).await.expect("written");
        tokio::task::yield_now().await;
    }
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    served.stop().await;
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_a_restart() {
    let site = Site::new();
    let first = site.renew();
    let tls = site.tls();
    let served = Served::new(options(Some(tls.clone()))).await;
    let client = site.authority.client(&[HTTP1], None);
    let mut old = served.connect_tls(&client).await.expect("a handshake");
    assert_eq!(shown(&old), first);
    ask_http1(&mut old).await;
    assert!(!tls.reload().expect("good files"));

    let second = site.renew();
    assert!(tls.reload().expect("good files"));
    assert!(!tls.reload().expect("good files"));
    let mut new = served.connect_tls(&client).await.expect("a handshake");
    assert_eq!(shown(&new), second);
    ask_http1(&mut new).await;
    // Who was connected before is not disturbed.
    ask_http1(&mut old).await;

    let good = fs::read_to_string(&site.options.certificate).expect("a file");
    let other = site.authority.issue().certificate.pem();
    for bad in ["", "no certificate", &good[..good.len() / 2], other.as_str()] {
        write(&site.options.certificate, bad);
        assert_eq!(tls.reload().expect_err("a bad file").kind(), ErrorKind::Invalid, "{bad}");
        let stream = served.connect_tls(&client).await.expect("a handshake");
        assert_eq!(shown(&stream), second);
    }
    fs::remove_file(&site.options.certificate).expect("a file");
    assert_eq!(tls.reload().expect_err("no file").kind(), ErrorKind::NotFound);
    write(&site.options.certificate, &good);
    assert!(!tls.reload().expect("good files"));
    served.stop().await;
}

#[tokio::test]
async fn a_client_must_have_a_certificate_where_it_is_asked_for_one() {
    let mut site = Site::new();
    let clients = Authority::new();
    let client_ca = site.path("clients.pem");
    write(&client_ca, &clients.certificate.pem());
    site.options.client_ca = Some(client_ca);
    let tls = site.tls();
    assert_eq!(tls.files().count(), 3);
    let served = Served::new(options(Some(tls))).await;

    let known = clients.issue();
    let client = site.authority.client(&[HTTP1], Some(&known));
    let mut stream = served.connect_tls(&client).await.expect("a handshake");
    let expected = told(Version::HTTP_11, local(&stream), true, true);
    assert_eq!(ask_http1(&mut stream).await, expected);
    let client = site.authority.client(&[HTTP2], Some(&known));
    let stream = served.connect_tls(&client).await.expect("a handshake");
    let expected = told(Version::HTTP_2, local(&stream), true, true);
    let mut tasks = JoinSet::new();
    assert_eq!(ask_http2(&mut begin_http2(stream, &mut tasks).await).await, expected);

    let stranger = Authority::new().issue();
    for identity in [None, Some(&stranger)] {
        let client = site.authority.client(&[HTTP1], identity);
        // With TLS 1.3 a client learns that it is refused only when it reads.
        let answer = async {
            let mut stream = served.connect_tls(&client).await?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: weir\r\n\r\n").await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            Ok::<_, io::Error>(bytes)
        };
        let answer = timeout(BOUND, answer).await.expect("in time");
        assert_eq!(answer.unwrap_or_default(), b"");
    }
    served.stop().await;
}

#[tokio::test]
async fn who_does_not_speak_is_cut() {
    let site = Site::new();
    let encrypted = Served::new(ServeOptions { handshake_timeout: SHORT, ..options(Some(site.tls())) }).await;
    closed(&mut encrypted.connect().await).await;
    let hurried = ServeOptions { header_read_timeout: SHORT, ..options(None) };
    let clear = Served::new(hurried.clone()).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for beginning in ["", "P", &preface[..10], preface, "GET / HTTP/1.1\r\n"] {
        let mut stream = clear.connect().await;
        stream.write_all(beginning.as_bytes()).await.expect("written");
        closed(&mut stream).await;
    }
    let encrypted = Served::new(ServeOptions { tls: Some(site.tls()), ..hurried }).await;
    for protocol in [HTTP1, HTTP2] {
        let client = site.authority.client(&[protocol], None);
        closed(&mut encrypted.connect_tls(&client).await.expect("a handshake")).await;
    }
}

#[tokio::test]
async fn an_idle_connection_of_http2_is_closed() {
    let served = Served::new(ServeOptions { header_read_timeout: 10 * SHORT, ..options(None) }).await;
    let mut tasks = JoinSet::new();
    let mut sender = begin_http2(served.connect().await, &mut tasks).await;
    ask_http2(&mut sender).await;
    let ended = timeout(BOUND, tasks.join_next()).await.expect("in time").expect("one task");
    drop(ended.expect("no panic"));
    assert!(sender.is_closed());
}

#[tokio::test]
async fn a_stop_ends_connections_that_ask_for_nothing() {
    let site = Site::new();
    let served = Served::new(options(Some(site.tls()))).await;
    let mut silent = served.connect().await;
    let client = site.authority.client(&[HTTP1], None);
    let mut idle = served.connect_tls(&client).await.expect("a handshake");
    ask_http1(&mut idle).await;
    let client = site.authority.client(&[HTTP2], None);
    let mut tasks = JoinSet::new();
    let mut sender = begin_http2(served.connect_tls(&client).await.expect("a handshake"), &mut tasks).await;
    ask_http2(&mut sender).await;
    served.stop().await;
    closed(&mut silent).await;
    closed(&mut idle).await;
    timeout(BOUND, tasks.join_next()).await.expect("in time");
}

#[tokio::test]
async fn both_apis_are_served_with_their_tls() {
    let site = Site::new();
    let tls = Some(site.tls());
    let options = Options { events_tls: tls.clone(), configuration_tls: tls, ..Options::default() };
    let door = support::gateway(memory(), options, |log| log).await;
    door.register("default", &["a"]).await;
    let mut tasks = JoinSet::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let events = listener.local_addr().expect("an address");
    tasks.spawn(door.gateway.clone().serve_events(listener, std::future::pending()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let configuration = listener.local_addr().expect("an address");
    tasks.spawn(door.gateway.clone().serve_configuration(listener, std::future::pending()));

    let client = site.authority.client(&[HTTP2], None);
    let stream = TcpStream::connect(events).await.expect("connected");
    let mut driving = JoinSet::new();
    let mut sender = begin_http2(handshake(&client, stream).await.expect("a handshake"), &mut driving).await;
    for id in ["1", "2"] {
        let request = Request::post("https://localhost/").header("content-type", STRUCTURED);
        let request = request.body(Body::from(event(id, "a", ""))).expect("a request");
        let response = timeout(BOUND, sender.send_request(request)).await.expect("in time").expect("an answer");
        assert_eq!(response.status().as_u16(), 202);
        assert!(response.headers().contains_key("weir-position"));
    }

    let client = site.authority.client(&[HTTP1], None);
    let stream = TcpStream::connect(configuration).await.expect("connected");
    let mut stream = handshake(&client, stream).await.expect("a handshake");
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: weir\r\n\r\n").await.expect("written");
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
}

#[test]
fn bad_files_are_named() {
    let mut site = Site::new();
    let TlsOptions { certificate, key, .. } = site.options.clone();
    let (shown_certificate, shown_key) = (certificate.display(), key.display());
    let good = fs::read_to_string(&certificate).expect("a file");

    let other = site.authority.issue();
    write(&certificate, &other.certificate.pem());
    let cure = "give the key that belongs to it";
    let message = format!("the certificate in {shown_certificate} cannot be used with the key in {shown_key}: {cure}");
    site.check_refused(ErrorKind::Invalid, &message);
    write(&certificate, "");
    let cure = "give it one in PEM, which begins with BEGIN CERTIFICATE";
    site.check_refused(ErrorKind::Invalid, &format!("{shown_certificate} has no certificate: {cure}"));
    write(&certificate, &good[..good.len() / 2]);
    let cure = "give it base64 between lines with BEGIN and END";
    site.check_refused(ErrorKind::Invalid, &format!("{shown_certificate} is not in PEM: {cure}"));
    fs::remove_file(&certificate).expect("a file");
    let cure = "check that it exists and that the server may read it";
    site.check_refused(ErrorKind::NotFound, &format!("{shown_certificate} cannot be read: {cure}"));

    write(&certificate, &good);
    let good_key = fs::read_to_string(&key).expect("a file");
    write(&key, &good);
    let cure = "give it one in PEM, without a password, which begins with BEGIN PRIVATE KEY";
    site.check_refused(ErrorKind::Invalid, &format!("{shown_key} has no private key: {cure}"));
    write(&key, &good_key);
    let client_ca = site.path("clients.pem");
    write(&client_ca, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    site.options.client_ca = Some(client_ca.clone());
    let cure = "give it the certificates of their issuers";
    let message = format!("{} has a certificate that cannot check clients: {cure}", client_ca.display());
    site.check_refused(ErrorKind::Invalid, &message);
}
