//! Where a server of this program listens.

use std::net::SocketAddr;

/// Reads an address for clap.
///
/// # Errors
/// If it is no IP address with a port.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an IP address and a port, e.g. 127.0.0.1:8080, or 0.0.0.0:8080 for all of this machine's"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_address_has_a_number_and_a_port() {
        assert_eq!(parse("[::1]:80").unwrap().port(), 80);
        for wrong in ["8080", "localhost:8080", "127.0.0.1", "127.0.0.1:99999", ""] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("127.0.0.1:8080"), "{wrong}: {error}");
        }
    }
}
