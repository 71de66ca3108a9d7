//! TLS: who we are, whom we trust, and how both are changed while connections stay.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// TLS 1.2 is the least that RFC 9325 allows; of it rustls has AEAD suites with forward secrecy
/// only.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// Whom the system trusts, on Debian and its kin.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// TLS, for `sips` and secure WebSocket.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Where SIP over TLS is listened for, by the rules of [`crate::Settings::bind`].
    pub bind: Vec<SocketAddr>,
    /// A PEM file with our certificate and those between it and a root.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
    /// Whether those who connect show a certificate.
    pub clients: ClientCertificates,
    /// A PEM file with the roots that those whom we call must be certified by; none for those of
    /// the system.
    pub roots: Option<PathBuf>,
}

/// Whether those who connect show a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    Unasked,
    /// They may; one that is shown must be certified by a root of this PEM file.
    Optional(PathBuf),
    /// They must, certified by a root of this PEM file.
    Required(PathBuf),
}

/// A file that TLS cannot use.
#[derive(Debug)]
pub struct TlsError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS cannot use {}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for TlsError {}

/// What connections begin with. Those that are up keep what they began with.
pub(crate) struct Tls {
    settings: TlsSettings,
    current: RwLock<Current>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Current {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    /// Since when our certificate is not valid any more, if it is not.
    over: Option<ASN1Time>,
    /// Of the files that this was read from.
    written: Written,
}

/// When each file was written last, and how long it was.
type Written = Vec<Option<(SystemTime, u64)>>;

impl Tls {
    /// Reads the files. A certificate that is over is told and shown all the same: a start in the
    /// night is not to fail, with all who come by other ways, for a renewal that did.
    ///
    /// # Errors
    /// [`TlsError`] names the first that cannot be used.
    pub(crate) fn load(settings: TlsSettings) -> Result<Tls, TlsError> {
        let current = read(&settings)?;
        if let Some(end) = current.over {
            let over = over(&settings, end);
            tracing::error!("{over}: whoever checks it does not come in");
        }
        Ok(Tls { settings, current: RwLock::new(current) })
    }

    /// Reads the files anew for connections that are still to come.
    ///
    /// # Errors
    /// [`TlsError`] names the first that cannot be used, or a certificate that is over; then all
    /// stays as it was.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.settings)?;
        if let Some(end) = fresh.over {
            return Err(over(&self.settings, end));
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Reads the files anew if one was written since. True if so.
    ///
    /// # Errors
    /// As [`Tls::reload`].
    pub(crate) fn reload_if_written(&self) -> Result<bool, TlsError> {
        if written(&self.settings) == self.current().written {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// For one that connects to us.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.current().acceptor
    }

    /// For one to whom we connect.
    pub(crate) fn connector(&self) -> TlsConnector {
        self.current().connector
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the certificate of a peer must name: the domain that was called (RFC 5922 §7.2), else its
/// address.
pub(crate) fn expected(name: Option<&str>, remote: SocketAddr) -> io::Result<ServerName<'static>> {
    match name {
        Some(name) => ServerName::try_from(name.to_owned())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no name of a certificate")),
        None => Ok(ServerName::from(remote.ip())),
    }
}

fn files(settings: &TlsSettings) -> Vec<&Path> {
    let clients = match &settings.clients {
        ClientCertificates::Unasked => None,
        ClientCertificates::Optional(path) | ClientCertificates::Required(path) => Some(path),
    };
    let all = [Some(&settings.certificate), Some(&settings.key), clients, settings.roots.as_ref()];
    all.into_iter().flatten().map(PathBuf::as_path).collect()
}

fn written(settings: &TlsSettings) -> Written {
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files(settings).into_iter().map(stamp).collect()
}

fn read(settings: &TlsSettings) -> Result<Current, TlsError> {
    // Before the files are read: what is written meanwhile is read next time.
    let written = written(settings);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(&settings.certificate)?;
    // Nobody else looks at that: rustls checks the certificates of others.
    let own = chain.first().and_then(|own| X509Certificate::from_der(own).ok());
    let over = own.map(|(_, own)| own.validity().not_after).filter(|end| *end < ASN1Time::now());
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(wrong(&settings.key))?;
    let server = server(settings, &provider, chain.clone(), key.clone_key())?;
    let client = client(settings, &provider, chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    Ok(Current { acceptor, connector: TlsConnector::from(Arc::new(client)), over, written })
}

fn over(settings: &TlsSettings, end: ASN1Time) -> TlsError {
    let end = end.to_datetime().date();
    let text = format!("the certificate is not valid any more since {end}; have it renewed");
    wrong(&settings.certificate)(text)
}

fn server(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let unusable = wrong(&settings.certificate);
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&VERSIONS)
        .map_err(&unusable)?;
    let verifier = |path: &Path| {
        let roots = Arc::new(roots(path)?);
        Ok(WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider)))
    };
    let builder = match &settings.clients {
        ClientCertificates::Unasked => builder.with_no_client_auth(),
        ClientCertificates::Optional(path) => {
            let verifier = verifier(path)?.allow_unauthenticated().build();
            builder.with_client_cert_verifier(verifier.map_err(wrong(path))?)
        }
        ClientCertificates::Required(path) => {
            builder.with_client_cert_verifier(verifier(path)?.build().map_err(wrong(path))?)
        }
    };
    builder.with_single_cert(chain, key).map_err(|error| unfit(settings, error))
}

/// Sees that a certificate and its key can be shown together.
///
/// # Errors
/// [`TlsError`] says why not.
pub(crate) fn usable(
    settings: &TlsSettings,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<(), TlsError> {
    let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    certified.map(|_| ()).map_err(|error| unfit(settings, error))
}

fn unfit(settings: &TlsSettings, error: rustls::Error) -> TlsError {
    let key = settings.key.display();
    if matches!(error, rustls::Error::InconsistentKeys(_)) {
        wrong(&settings.certificate)(format!("the key in {key} does not fit it"))
    } else {
        wrong(&settings.certificate)(format!("with the key in {key}: {error}"))
    }
}

/// We show our certificate to those whom we call if they ask for one.
fn client(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, TlsError> {
    let unusable = wrong(&settings.certificate);
    let roots = match &settings.roots {
        Some(path) => roots(path)?,
        // A machine without any has nobody whom it trusts; it can still be called.
        None => roots(Path::new(SYSTEM_ROOTS)).unwrap_or_else(|_| RootCertStore::empty()),
    };
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&VERSIONS)
        .map_err(&unusable)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unfit(settings, error))
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(wrong(path))?.collect();
    let found = found.map_err(wrong(path))?;
    match found.is_empty() {
        true => Err(wrong(path)("it has no certificate")),
        false => Ok(found),
    }
}

pub(crate) fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let (_, unusable) = store.add_parsable_certificates(certificates(path)?);
    if unusable > 0 {
        tracing::debug!(path = %path.display(), unusable, "roots that cannot be used");
    }
    match store.is_empty() {
        true => Err(wrong(path)("it has no root that can be used")),
        false => Ok(store),
    }
}

pub(crate) fn wrong<E: fmt::Display>(path: &Path) -> impl Fn(E) -> TlsError {
    move |reason| TlsError { path: path.to_owned(), reason: reason.to_string() }
}
