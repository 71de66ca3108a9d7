//! What is wrong with the files of TLS, told before anything is begun.

use std::time::SystemTime;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use crate::limits::CERTIFICATE_ENDS_SOON;
use crate::tls::{ClientCertificates, TlsError, TlsSettings, certificates, roots, usable, wrong};

/// Something about a file of TLS that who runs the server should know.
#[derive(Debug)]
pub enum Finding {
    /// With it no gateway starts.
    Fault(TlsError),
    /// It starts, and some will not come in, now or soon.
    Warning(TlsError),
}

impl TlsSettings {
    /// Reads all its files, and finds all that is wrong with them at that time. Waits for the disk.
    pub fn examine(&self, now: SystemTime) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut keep = |error| findings.push(Finding::Fault(error));
        let chain = certificates(&self.certificate).map_err(&mut keep).ok();
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(wrong(&self.key));
        let key = key.map_err(&mut keep).ok();
        let clients = match &self.clients {
            ClientCertificates::Unasked => None,
            ClientCertificates::Optional(path) | ClientCertificates::Required(path) => Some(path),
        };
        for path in clients.into_iter().chain(&self.roots) {
            if let Err(error) = roots(path) {
                keep(error);
            }
        }
        if let (Some(chain), Some(key)) = (&chain, key)
            && let Err(error) = usable(self, chain.clone(), key)
        {
            keep(error);
        }
        let own = chain.as_ref().and_then(|chain| chain.first());
        let warning = own.and_then(|own| not_valid(own, now));
        findings.extend(warning.map(|text| Finding::Warning(wrong(&self.certificate)(text))));
        findings
    }
}

/// Why a certificate does not convince everybody, now or soon.
fn not_valid(own: &CertificateDer<'_>, now: SystemTime) -> Option<String> {
    let (_, own) = X509Certificate::from_der(own).ok()?;
    let validity = own.validity();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let at = |s: u64| i64::try_from(s).ok().and_then(|s| ASN1Time::from_timestamp(s).ok());
    let (now, soon) = (at(since.as_secs())?, at((since + CERTIFICATE_ENDS_SOON).as_secs())?);
    let date = |time: ASN1Time| time.to_datetime().date();
    let (begin, end) = (validity.not_before, validity.not_after);
    if end < now {
        Some(format!("the certificate is not valid any more since {}; have it renewed", date(end)))
    } else if begin > now {
        Some(format!("the certificate is not valid before {}", date(begin)))
    } else if end < soon {
        Some(format!("the certificate is valid until {} only; have it renewed", date(end)))
    } else {
        None
    }
}
