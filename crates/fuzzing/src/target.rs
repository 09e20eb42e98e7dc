//! The list of targets. What each promises stands with its function.

use crate::targets;

/// One thing to feed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its folder of seeds and of its program for libFuzzer.
    pub name: &'static str,
    /// Reads the bytes, and panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Pieces of input that chance alone would hardly find.
    pub dictionary: &'static [&'static [u8]],
}

/// All targets.
pub static TARGETS: [Target; 12] = [
    Target { name: "batch", run: targets::batch, dictionary: EVENTS },
    Target { name: "binary", run: targets::binary, dictionary: HEADERS },
    Target { name: "binary_v01", run: targets::binary_v01, dictionary: HEADERS_V01 },
    Target { name: "cesql", run: targets::cesql, dictionary: EXPRESSIONS },
    Target { name: "filters", run: targets::filters, dictionary: FILTERS },
    Target { name: "json_members", run: targets::json_members, dictionary: EVENTS },
    Target { name: "log_frames", run: targets::log_frames, dictionary: RECORDS },
    Target { name: "matcher", run: targets::matcher, dictionary: FILTERS },
    Target { name: "path_tree", run: targets::path_tree, dictionary: PATHS },
    Target { name: "structured", run: targets::structured, dictionary: EVENTS },
    Target { name: "structured_v01", run: targets::structured_v01, dictionary: EVENTS_V01 },
    Target { name: "trace_context", run: targets::trace_context, dictionary: TRACES },
];

/// Finds a target by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

const EVENTS: &[&[u8]] = &[
    br#""specversion":"1.0""#,
    br#","id":"1""#,
    br#","source":"/s""#,
    br#","type":"t""#,
    br#","subject":"a""#,
    br#","time":"2026-01-31T12:00:00Z""#,
    br#","datacontenttype":"text/plain""#,
    br#","datacontenttype":"application/json""#,
    br#","dataschema":"urn:a""#,
    br#","data":"#,
    br#","data_base64":"AAEC/w==""#,
    br#","partitionkey":"k""#,
    br#","sequencetype":"Integer","sequence":"1""#,
    br#","severitynumber":2147483647"#,
    br#","cloudEventsVersion":"0.1""#,
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"[[[[[[[[",
    b"]]]]]]]]",
    br#"{"a":"#,
    br"\ud83d\ude00",
    br"\ud800",
    br"\u0000",
    b"\xef\xbb\xbf",
    b"\xc3\xa4",
];

const EVENTS_V01: &[&[u8]] = &[
    br#""cloudEventsVersion":"0.1""#,
    br#","eventType":"t""#,
    br#","source":"/s""#,
    br#","eventID":"1""#,
    br#","eventTime":"2026-01-31T12:00:00Z""#,
    br#","eventTypeVersion":"2""#,
    br#","schemaURL":"urn:a""#,
    br#","schemaURL":"a b""#,
    br#","contentType":"text/plain""#,
    br#","contentType":"image/png""#,
    br#","extensions":{"#,
    br#""subject":"x","#,
    br#""eventgateway":{"a":[1]},"#,
    br#""schemaurl":"s","#,
    br#","data":"AAEC/w==""#,
    br#","data":{"a": 1}"#,
    br#","specversion":"1.0""#,
    b"null",
    br"\ud800",
    b"[[[[[[[[",
    b"]]]]]]]]",
];

const HEADERS: &[&[u8]] = &[
    b"ce-specversion: 1.0\n",
    b"ce-id: 1\n",
    b"ce-source: /s\n",
    b"ce-type: t\n",
    b"ce-subject: ",
    b"ce-time: 2026-01-31T12:00:00Z\n",
    b"ce-dataschema: urn:a\n",
    b"ce-datacontenttype: a/b\n",
    b"ce-partitionkey: k\n",
    b"ce-x: ",
    b"content-type: application/json\n",
    b"content-type: text/plain; charset=\"utf-8\"\n",
    b"content-type: application/cloudevents+json\n",
    b"content-type: application/cloudevents-batch+json\n",
    b"\n\n",
    b"%C3%A4",
    b"%ff",
    b"%25",
    b"\"a\\\"b\"",
    b"{\"a\": [1]}",
];

const HEADERS_V01: &[&[u8]] = &[
    b"ce-cloudeventsversion: 0.1\n",
    b"ce-eventtype: t\n",
    b"ce-source: /s\n",
    b"ce-eventid: 1\n",
    b"ce-eventtime: 2026-01-31T12:00:00Z\n",
    b"ce-eventtypeversion: 2\n",
    b"ce-schemaurl: a b\n",
    b"ce-x-subject: x\n",
    b"ce-x-eventgateway: {\"a\":[1]}\n",
    b"ce-x-My-Ext: v\n",
    b"content-type: application/json\n",
    b"content-type: application/x-www-form-urlencoded\n",
    b"\n\n",
    b"\xc3\xa4",
];

const PATHS: &[&[u8]] = &[
    b"\n+/", b"\n-/", b"\n?/", b"\n=/", b"/:a", b"/:b", b"/*r", b"//", b"/a", b"/b", b"%20", b"%2F", b"%61", b"%C3%A4",
    b".", b"..", b"#",
];

const EXPRESSIONS: &[&[u8]] = &[
    b"subject = 'a'",
    b" AND ",
    b" OR ",
    b" XOR ",
    b"NOT ",
    b" LIKE '%a_'",
    b" NOT LIKE ",
    b" IN ('a', 'b')",
    b" NOT IN ",
    b"EXISTS ext",
    b" != ",
    b" <> ",
    b" <= ",
    b" * ",
    b" / ",
    b" % ",
    b"-",
    b"2147483648",
    b"TRUE",
    b"ABS(",
    b"LENGTH(",
    b"CONCAT(",
    b"CONCAT_WS(",
    b"SUBSTRING(",
    b"LEFT(",
    b"INT(",
    b"BOOL(",
    b"STRING(",
    b"IS_INT(",
    b"\\'",
    b"\xc3\xa4",
    b"\n",
    br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"a","ext":1}"#,
];

const FILTERS: &[&[u8]] = &[
    br#"{"exact":{"subject":"a"}}"#,
    br#"{"prefix":{"type":"t"}}"#,
    br#"{"suffix":{"source":"s"}}"#,
    br#"{"all":["#,
    br#"{"any":["#,
    br#"{"not":"#,
    br#"{"sql":"subject = 'a'"}"#,
    br#"{"types":["t.*","t.>"]}"#,
    br#"{"pattern":{"data":{"a":[1]}}}"#,
    br#"{"pattern":{"$or":["#,
    br#"{"prefix":"a"}"#,
    br#"{"anything-but":["a"]}"#,
    br#"{"numeric":[">",0,"<=",5]}"#,
    br#"{"cidr":"10.0.0.0/8"}"#,
    br#"{"exists":false}"#,
    br#"{"wildcard":"a*b"}"#,
    br#"{"equals-ignore-case":"A"}"#,
    b"\n+t ",
    b"\n+t.> ",
    b"\n-",
    b"\n*",
    br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"a","data":{"a":[1,"x",null],"b":{"c":2.5}}}"#,
    br#","data":{"a":"#,
];

const TRACES: &[&[u8]] = &[
    b"00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01",
    b"\n",
    b"cc-",
    b"ff-",
    b"-00",
    b"00000000000000000000000000000000",
    b"0000000000000000",
    b"rojo=00f067aa0ba902b7",
    b"fw529a3039@dt=FfAIVwEAAAA",
    b"a=1,",
    b" ,\t",
    b"=",
];

const RECORDS: &[&[u8]] = &[
    b"F",
    b"S",
    b"WEIF\x01",
    b"WEIRLOG\0",
    b"\x80\x80\x80\x80\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\x11\0\0\0",
    b"\x00\x00\x00\x00",
    b"\x00\x01\x07",
];
