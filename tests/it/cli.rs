//! The command line, read as shell sessions: tests/cmd/*.trycmd, and what README shows.

#[test]
fn command_line() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.trycmd")
        .case("README.md")
        .env("COLUMNS", "110")
        .env("NO_COLOR", "1");
}

#[test]
fn command_line_on_a_narrow_terminal() {
    trycmd::TestCases::new().case("tests/cmd/narrow/*.trycmd").env("COLUMNS", "40").env("NO_COLOR", "1");
}
