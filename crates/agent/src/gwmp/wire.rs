//! The datagrams of the gateway message protocol (Semtech's `PROTOCOL.TXT`, sections 3 to 5): twelve bytes before the JSON, or four.
//! It reads and writes these bytes and looks into no JSON.

/// The longest datagram that is looked at. Forwarders send eight packets of at most 255 bytes at a time: some five thousand bytes.
pub const DATAGRAM_BYTES_MAX: usize = 16 * 1024;

/// Names a datagram, so that its answer names it too.
pub type Token = [u8; 2];

/// A radio's own number, as its forwarder says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Eui(pub u64);

impl std::fmt::Display for Eui {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for Eui {
    type Err = &'static str;

    /// Sixteen hexadecimal digits, with or without colons or dashes between them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-')).collect();
        let hexadecimal = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u64::from_str_radix(&digits, 16).ok().filter(|_| hexadecimal);
        number
            .map(Self)
            .ok_or("the number of a radio has 16 hexadecimal digits, like 00800000a0000a5c")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Packets or a status from a forwarder.
    PushData {
        eui: Eui,
        json: &'a [u8],
    },
    PushAck,
    /// A forwarder opens the way for downlinks.
    PullData {
        eui: Eui,
    },
    PullAck,
    /// A downlink.
    PullResp {
        json: &'a [u8],
    },
    /// What became of it; no JSON is well.
    TxAck {
        eui: Eui,
        json: &'a [u8],
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// 1 or 2.
    pub version: u8,
    pub token: Token,
    pub kind: Kind<'a>,
}

impl<'a> Datagram<'a> {
    /// What a stranger's bytes say, if they are of the protocol.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&[version, high, low, kind], rest) = bytes.split_first_chunk::<4>()?;
        if !(1..=2).contains(&version) || bytes.len() > DATAGRAM_BYTES_MAX {
            return None;
        }
        let named = || {
            let (eui, json) = rest.split_first_chunk::<8>()?;
            Some((Eui(u64::from_be_bytes(*eui)), until_zero(json)))
        };
        let kind = match kind {
            0 => named().map(|(eui, json)| Kind::PushData { eui, json })?,
            1 => Kind::PushAck,
            2 => named().map(|(eui, _)| Kind::PullData { eui })?,
            3 => Kind::PullResp { json: until_zero(rest) },
            4 => Kind::PullAck,
            5 => named().map(|(eui, json)| Kind::TxAck { eui, json })?,
            _ => return None,
        };
        Some(Self {
            version,
            token: [high, low],
            kind,
        })
    }

    pub fn write(&self) -> Vec<u8> {
        let (kind, eui, json): (u8, Option<Eui>, &[u8]) = match self.kind {
            Kind::PushData { eui, json } => (0, Some(eui), json),
            Kind::PushAck => (1, None, &[]),
            Kind::PullData { eui } => (2, Some(eui), &[]),
            Kind::PullResp { json } => (3, None, json),
            Kind::PullAck => (4, None, &[]),
            Kind::TxAck { eui, json } => (5, Some(eui), json),
        };
        let mut bytes = vec![self.version, self.token[0], self.token[1], kind];
        bytes.extend(eui.iter().flat_map(|eui| eui.0.to_be_bytes()));
        bytes.extend_from_slice(json);
        bytes
    }
}

/// Some forwarders send the zero that ends a text in C.
fn until_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back() {
        let eui = Eui(0x0080_0000_a000_0a5c);
        for version in [1, 2] {
            for kind in [
                Kind::PushData { eui, json: b"{}" },
                Kind::PushAck,
                Kind::PullData { eui },
                Kind::PullAck,
                Kind::PullResp { json: b"{\"txpk\":{}}" },
                Kind::TxAck { eui, json: b"" },
            ] {
                let datagram = Datagram {
                    version,
                    token: [7, 9],
                    kind,
                };
                assert_eq!(Datagram::read(&datagram.write()), Some(datagram));
            }
        }
    }

    #[test]
    fn other_bytes_are_not_read() {
        let long = [&[2, 0, 0, 0][..], &[b'{'; DATAGRAM_BYTES_MAX]].concat();
        for bytes in [
            &[][..],
            &[2, 0, 0],
            &[0, 0, 0, 1],
            &[3, 0, 0, 1],
            &[2, 0, 0, 6],
            &[2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7],
            &long,
        ] {
            assert_eq!(Datagram::read(bytes), None);
        }
        let ended = [2, 0, 0, 3, b'{', b'}', 0];
        let read = Datagram::read(&ended).map(|datagram| datagram.kind);
        assert_eq!(read, Some(Kind::PullResp { json: b"{}" }));
    }

    #[test]
    fn a_radios_number_is_read_as_people_write_it() {
        for text in ["00800000a0000a5c", "00:80:00:00:A0:00:0A:5C", "00-80-00-00-a0-00-0a-5c"] {
            assert_eq!(text.parse(), Ok(Eui(0x0080_0000_a000_0a5c)));
        }
        for text in ["", "0080", "+0800000a0000a5c", "00800000a0000a5cff"] {
            assert!(text.parse::<Eui>().is_err(), "{text}");
        }
        assert_eq!(Eui(1).to_string(), "0000000000000001");
    }
}
