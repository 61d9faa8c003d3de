//! The header of a LoRaWAN frame (LoRaWAN 1.0.4, section 4): who sent it, and its counter. It decrypts nothing and knows no
//! key; whether a frame is genuine, only its customer can say.

/// What a frame's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// A device asks to join: its DevEUI, and the JoinEUI of the server it asks.
    Join { join_eui: u64, dev_eui: u64 },
    /// Data from a device: its address and the lower half of its counter.
    Data {
        address: u32,
        counter: u16,
        port: Option<u8>,
    },
    /// Anything else.
    Other,
}

/// The header of a frame.
pub fn header(frame: &[u8]) -> Header {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    match frame.first().map(|first| first >> 5) {
        Some(0) if frame.len() == 23 => Header::Join {
            join_eui: number(&frame[1..9]),
            dev_eui: number(&frame[9..17]),
        },
        Some(2 | 4) if frame.len() >= 12 => {
            let options = usize::from(frame[5] & 0x0f);
            Header::Data {
                address: number(&frame[1..5]) as u32,
                counter: number(&frame[6..8]) as u16,
                port: frame.get(8 + options).copied().filter(|_| frame.len() > 12 + options),
            }
        }
        _ => Header::Other,
    }
}

/// The bytes of a text in base 64 (RFC 4648, section 4), with or without padding.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() * 3 / 4), 0u32, 0u32);
    for c in text.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (count < 6).then_some(bytes)
}

/// Bytes as text in base 64.
pub fn to_base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place) & 63) as usize;
            text.push(if place > three.len() {
                '='
            } else {
                char::from(LETTERS[six])
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_reads_back() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("Zg==", Some(b"f")),
            ("Zm8", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("Zm9vYg==", Some(b"foob")),
            ("Z", None),
            ("Zm9v!", None),
        ] {
            assert_eq!(base64(text).as_deref(), bytes, "{text}");
        }
        for bytes in [&b""[..], b"f", b"fo", b"foo", b"foob", &[0xff; 36]] {
            let text = to_base64(bytes);
            assert_eq!(text.len() % 4, 0);
            assert_eq!(base64(&text).as_deref(), Some(bytes), "{text}");
        }
    }

    #[test]
    fn joins_and_data_are_told_apart() {
        let data = base64("gAcAAEiARwAFFNS7MsysVH1JfcuHWg6BlMPSEMlrB7bcNfUe").expect("base 64");
        let expected = Header::Data {
            address: 0x4800_0007,
            counter: 71,
            port: Some(5),
        };
        assert_eq!(header(&data), expected);
        let mut join = vec![0; 23];
        (join[1], join[16]) = (7, 0xfe);
        let expected = Header::Join {
            join_eui: 7,
            dev_eui: 0xfe00_0000_0000_0000,
        };
        assert_eq!(header(&join), expected);
        for other in [&[][..], &[0; 5], &[0x80; 11], &[0xe0; 30], &[0x60; 30]] {
            assert_eq!(header(other), Header::Other);
        }
        assert_eq!(
            header(&[0x40, 1, 0, 0, 0, 0x0f, 1, 0, 9, 9, 9, 9]),
            Header::Data {
                address: 1,
                counter: 1,
                port: None
            }
        );
    }
}
