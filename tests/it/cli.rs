//! The command line, read as a shell session: tests/cmd/*.trycmd.

#[test]
fn command_line() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd").env("COLUMNS", "110").env("NO_COLOR", "1");
}
