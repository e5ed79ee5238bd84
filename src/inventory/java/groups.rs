//! The groups of artifacts whose builds (Gradle's, Ant's, sbt's) write no `pom.properties`. A row counts only for an archive
//! whose classes lie in that project's directory: an artifact's id alone is nobody's. Projects that changed their group are
//! left out where only the version tells which it is.

/// Artifacts, where their classes lie, and their group. A star stands for any end.
type Row = (&'static [&'static str], &'static str, &'static str);

/// The first row that fits counts.
const GROUPS: &[Row] = &[
    // Starters have no classes; Spring keeps this beginning for its own.
    (&["spring-boot-starter*"], "META-INF/", "org.springframework.boot"),
    (&["spring-boot*"], "org/springframework/boot/", "org.springframework.boot"),
    (&["spring-security-*"], "org/springframework/security/", "org.springframework.security"),
    (&["spring-integration-*"], "org/springframework/integration/", "org.springframework.integration"),
    (&["spring-batch-*"], "org/springframework/batch/", "org.springframework.batch"),
    (&["spring-session-*"], "org/springframework/session/", "org.springframework.session"),
    (&["spring-amqp", "spring-rabbit*"], "org/springframework/amqp/", "org.springframework.amqp"),
    (&["spring-kafka*"], "org/springframework/kafka/", "org.springframework.kafka"),
    (SPRING, "org/springframework/", "org.springframework"),
    // It stands in for Commons Logging.
    (&["spring-jcl"], "org/apache/commons/logging/", "org.springframework"),
    (&["tomcat-embed-*"], "org/apache/", "org.apache.tomcat.embed"),
    (&["tomcat-*"], "org/apache/", "org.apache.tomcat"),
    (&["kafka-*", "connect-*"], "org/apache/kafka/", "org.apache.kafka"),
    (&["kafka_*"], "kafka/", "org.apache.kafka"),
    (&["lucene-*"], "org/apache/lucene/", "org.apache.lucene"),
    (&["solr-*"], "org/apache/solr/", "org.apache.solr"),
    (&["elasticsearch-rest-*"], "org/elasticsearch/client/", "org.elasticsearch.client"),
    (&["elasticsearch", "elasticsearch-*"], "org/elasticsearch/", "org.elasticsearch"),
    (&["opensearch-rest-*"], "org/opensearch/client/", "org.opensearch.client"),
    (&["opensearch", "opensearch-*"], "org/opensearch/", "org.opensearch"),
    (&["kotlin-stdlib*", "kotlin-reflect"], "kotlin/", "org.jetbrains.kotlin"),
    (&["kotlinx-coroutines-*"], "kotlinx/coroutines/", "org.jetbrains.kotlinx"),
    (&["ktor-*"], "io/ktor/", "io.ktor"),
    (&["okhttp", "okhttp-*", "logging-interceptor"], "okhttp3/", "com.squareup.okhttp3"),
    (&["okio", "okio-*"], "okio/", "com.squareup.okio"),
    (&["retrofit"], "retrofit2/", "com.squareup.retrofit2"),
    (&["reactor-core"], "reactor/core/", "io.projectreactor"),
    (&["reactor-netty*"], "reactor/", "io.projectreactor.netty"),
    (&["micrometer-*"], "io/micrometer/", "io.micrometer"),
    (&["grpc-*"], "io/grpc/", "io.grpc"),
    (&["armeria", "armeria-*"], "com/linecorp/armeria/", "com.linecorp.armeria"),
    (&["rxjava"], "io/reactivex/rxjava3/", "io.reactivex.rxjava3"),
    (&["rxjava"], "io/reactivex/", "io.reactivex.rxjava2"),
    (&["scala-library", "scala-reflect", "scala-compiler"], "scala/", "org.scala-lang"),
    (&["akka-*"], "akka/", "com.typesafe.akka"),
    (
        &["bcprov-*", "bcpkix-*", "bcpg-*", "bcutil-*", "bcmail-*", "bctls-*"],
        "org/bouncycastle/",
        "org.bouncycastle",
    ),
    (&["h2"], "org/h2/", "com.h2database"),
    (&["hsqldb"], "org/hsqldb/", "org.hsqldb"),
    (&["derby*"], "org/apache/derby/", "org.apache.derby"),
    (&["postgresql"], "org/postgresql/", "org.postgresql"),
    (&["mysql-connector-java"], "com/mysql/", "mysql"),
    (&["mysql-connector-j"], "com/mysql/", "com.mysql"),
    (&["ojdbc*"], "oracle/jdbc/", "com.oracle.database.jdbc"),
    (&["sqlite-jdbc"], "org/sqlite/", "org.xerial"),
    (&["snappy-java"], "org/xerial/snappy/", "org.xerial.snappy"),
    (&["zstd-jni"], "com/github/luben/", "com.github.luben"),
    (&["lz4-java"], "net/jpountz/lz4/", "org.lz4"),
    (&["jna", "jna-platform"], "com/sun/jna/", "net.java.dev.jna"),
    (JACKSON, "org/codehaus/jackson/", "org.codehaus.jackson"),
    (&["gson"], "com/google/gson/", "com.google.code.gson"),
    (&["aspectjweaver", "aspectjrt", "aspectjtools"], "org/aspectj/", "org.aspectj"),
    (&["ant", "ant-*"], "org/apache/tools/ant/", "org.apache.ant"),
    (&["ivy"], "org/apache/ivy/", "org.apache.ivy"),
    (&["velocity"], "org/apache/velocity/", "org.apache.velocity"),
    (&["xercesImpl"], "org/apache/xerces/", "xerces"),
    (&["xalan"], "org/apache/xalan/", "xalan"),
    (&["hibernate-commons-annotations"], "org/hibernate/annotations/common/", "org.hibernate.common"),
    (&["quartz"], "org/quartz/", "org.quartz-scheduler"),
    (&["c3p0"], "com/mchange/", "com.mchange"),
];

/// Artifacts whose group has their name, and where their classes lie.
const OWN_GROUPS: &[(&[&str], &str)] = &[
    (COMMONS, "org/apache/commons/"),
    (&["joda-time"], "org/joda/time/"),
    (&["log4j"], "org/apache/log4j/"),
];

/// Those of Apache Commons that are older than its group.
const COMMONS: &[&str] = &[
    "commons-beanutils",
    "commons-chain",
    "commons-cli",
    "commons-codec",
    "commons-collections",
    "commons-configuration",
    "commons-daemon",
    "commons-dbcp",
    "commons-digester",
    "commons-discovery",
    "commons-el",
    "commons-fileupload",
    "commons-httpclient",
    "commons-io",
    "commons-jxpath",
    "commons-lang",
    "commons-logging",
    "commons-net",
    "commons-pool",
    "commons-validator",
];

const JACKSON: &[&str] = &["jackson-core-asl", "jackson-jaxrs", "jackson-mapper-asl", "jackson-xc"];

const SPRING: &[&str] = &[
    "spring-aop",
    "spring-aspects",
    "spring-beans",
    "spring-context",
    "spring-context-*",
    "spring-core",
    "spring-expression",
    "spring-instrument",
    "spring-jdbc",
    "spring-jms",
    "spring-messaging",
    "spring-orm",
    "spring-oxm",
    "spring-test",
    "spring-tx",
    "spring-web",
    "spring-webflux",
    "spring-webmvc",
    "spring-websocket",
];

/// The group of an artifact, if it is known and the archive `has` something in the directory of its classes.
pub(super) fn of<'a>(artifact: &'a str, has: &dyn Fn(&str) -> bool) -> Option<&'a str> {
    let mut own = OWN_GROUPS.iter().filter(|(artifacts, _)| artifacts.contains(&artifact));
    if own.any(|(_, directory)| has(directory)) {
        return Some(artifact);
    }
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => artifact.starts_with(start),
        None => artifact == pattern,
    };
    let mut rows = GROUPS.iter().filter(|(artifacts, ..)| artifacts.iter().any(|pattern| fits(pattern)));
    rows.find(|(_, directory, _)| has(directory)).map(|(.., group)| *group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_is_known_by_its_id_and_its_classes() {
        for (artifact, directory, group) in [
            ("spring-core", "org/springframework/core/", Some("org.springframework")),
            ("spring-core", "com/example/", None),
            ("spring-boot-starter-web", "META-INF/", Some("org.springframework.boot")),
            (
                "spring-security-core",
                "org/springframework/security/core/",
                Some("org.springframework.security"),
            ),
            ("spring-ldap-core", "org/springframework/ldap/", None),
            ("tomcat-embed-core", "org/apache/catalina/", Some("org.apache.tomcat.embed")),
            ("rxjava", "io/reactivex/rxjava3/core/", Some("io.reactivex.rxjava3")),
            ("rxjava", "io/reactivex/", Some("io.reactivex.rxjava2")),
            ("h2o", "org/h2/", None),
            ("commons-io", "org/apache/commons/io/", Some("commons-io")),
            ("commons-io", "com/example/", None),
        ] {
            assert_eq!(of(artifact, &|known| directory.starts_with(known)), group, "{artifact} {directory}");
        }
    }
}
