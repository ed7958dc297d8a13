//! What verbs share in printing.

use std::io::{self, BufWriter, Stdout, Write};

use crate::error::CommandError;
pub(crate) use evidence::readings::time;

/// Standard output, buffered.
pub(crate) fn stdout() -> BufWriter<Stdout> {
    BufWriter::new(io::stdout())
}

/// Prints one line.
pub(crate) fn line(out: &mut impl Write, text: &str) -> Result<(), CommandError> {
    writeln!(out, "{text}").map_err(CommandError::output)
}

/// `3.2 s`, `5 min`, `2 h`, `3 d`: how long ago, at a glance.
pub(crate) fn age(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// `98.7 %`: tenths of a percent.
pub(crate) fn percent(permille: u16) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

/// Columns of a terminal that a text takes: Chinese characters take two.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 }).sum()
}

/// The text, filled with spaces to `columns`.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Rows under a heading, each column as wide as its widest cell.
pub(crate) fn table(out: &mut impl Write, rows: &[Vec<String>]) -> Result<(), CommandError> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, wide)| pad(cell, *wide)).collect();
        line(out, format!("  {}", cells.join("  ")).trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_well() {
        assert_eq!(
            [0, 3_250, 59_000, 600_000, 7_200_000, 400_000_000].map(age),
            ["0.0 s", "3.2 s", "59 s", "10 min", "2 h", "4 d"]
        );
        assert_eq!([0, 9, 987, 1_000].map(percent), ["0.0 %", "0.9 %", "98.7 %", "100.0 %"]);
    }

    #[test]
    fn chinese_cells_line_up() {
        let mut out = Vec::new();
        table(&mut out, &[vec!["设备".into(), "x".into()], vec!["cod-1".into(), "y".into()]]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  设备   x\n  cod-1  y\n");
    }
}
