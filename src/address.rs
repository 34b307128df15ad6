//! Which addresses may be contacted: the guard against being sent to private networks.

use std::net::IpAddr;

use ipnet::IpNet;

/// Addresses outside the public internet are refused unless one of these networks holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allow: Vec<IpNet>,
}

impl AddressPolicy {
    /// Public addresses and those inside `allow`.
    #[must_use]
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Whether a request may go to `address`.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|net| net.contains(&address)) || !address.is_loopback()
    }
}
