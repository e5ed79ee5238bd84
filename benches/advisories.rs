//! How fast a database answers: `cargo bench --bench advisories -- DATABASE LINES` opens the database and asks it for
//! every `ecosystem<TAB>name<TAB>version` of a file, by one thread, and prints the seconds of opening, of the first
//! answer, and how many packages a second are looked up and matched when the same are asked again.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "the lints guard the library against hostile disks"
)]

use std::{path::Path, time::Instant};

use icecore::{
    block,
    vuln::{Database, query::Query},
};

/// Times that every package is asked for.
const ROUNDS: usize = 20;

fn main() {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (Some(file), Some(lines)) = (arguments.next(), arguments.next()) else { return };
    let text = std::fs::read_to_string(lines).expect("a file of packages");
    let fields: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let packages: Vec<(&str, &str)> = fields
        .iter()
        .filter_map(|fields| Some((fields.first()?.split(':').next()?, *fields.get(1)?)))
        .collect();
    let start = Instant::now();
    let database = Database::open(block::open(Path::new(&file)).expect("a database")).expect("a database");
    println!("open {:.6}", start.elapsed().as_secs_f64());
    let queries: Vec<Query> = text.lines().filter_map(Query::parse).collect();
    let start = Instant::now();
    if let Some(query) = queries.first() {
        query.matches(&database).expect("an answer");
    }
    println!("first {:.6}", start.elapsed().as_secs_f64());
    let lookups = rate(packages.len(), || {
        for (family, name) in &packages {
            database.entries(family, name).expect("an answer");
        }
    });
    println!("lookups_per_second {lookups:.0}");
    let matches = rate(queries.len(), || {
        for query in &queries {
            query.matches(&database).expect("an answer");
        }
    });
    println!("matches_per_second {matches:.0}");
}

/// How often a second something is done that a call does `count` times; the first call is not counted.
fn rate(count: usize, call: impl Fn()) -> f64 {
    call();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        call();
    }
    (count * ROUNDS) as f64 / start.elapsed().as_secs_f64()
}
