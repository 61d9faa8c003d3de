//! CSV (RFC 4180): a header, then a reading a line; the unit stands in the header.

use crate::rows::{Answer, decimal};
use std::io::{self, Write};

pub fn write(answer: &Answer, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let quantity = &answer.quantity;
    let mut writer = csv::Writer::from_writer(out);
    let value = format!("{}_{}", quantity.name, quantity.unit);
    writer.write_record(["time_utc", "device", "cell", &value])?;
    for row in answer.rows() {
        writer.write_record([
            row.time.to_string(),
            row.device.to_string(),
            row.cell.to_string(),
            decimal(row.value, quantity.decimals),
        ])?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use crate::export::tests::{answer, written};

    #[test]
    fn a_reading_is_a_line_under_a_header_with_the_unit() {
        let text = String::from_utf8(written(super::write, &answer())).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "time_utc,device,cell,rain_mm");
        let device = "07".repeat(32);
        assert_eq!(lines[2], format!("2017-07-15T00:05:00Z,{device},881969c9b7fffff,0.101"));
        assert_eq!(
            lines[3],
            format!("2017-07-15T00:10:00Z,{device},881969c9b7fffff,-0.005")
        );
        assert_eq!(lines.len(), 4);
    }
}
