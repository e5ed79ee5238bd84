//! What was compared with what others read, told in one form: a line for each format, which
//! `cargo test --test it -- --include-ignored --nocapture 2>/dev/null | grep '^judged '` shows.

/// Tells how much of a format was compared, and how much of that is another.
pub(crate) fn tell(format: &str, compared: &[(usize, &str)], differences: usize) {
    let compared: Vec<String> = compared.iter().map(|(count, what)| format!("{count} {what}")).collect();
    // On one thread the test's own line is open.
    println!("\njudged {format}: {}, {differences} differences", compared.join(", "));
}
