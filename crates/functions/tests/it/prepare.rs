//! Code that cannot become a function: every reason has its sentence.

use std::time::Duration;

use bytes::Bytes;

use weir_functions::{Code, FunctionOptions, Instances, PrepareError};

use crate::rig::Rig;

const FINE: &str = "export function handle() {}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_file_is_told() {
    let rig = Rig::new();
    let check = async |source: &str, sentence: &str| {
        let error = refused(&rig, Code::JavaScript(source.into()), FunctionOptions::default()).await;
        assert_eq!(error.to_string(), sentence, "{source}");
    };
    check(
        "export function handle(event) {\n  const a = ;\n}",
        "the file has a syntax error at line 2, column 13: unexpected token in expression: ';'",
    )
    .await;
    check(
        "import { y } from \"./other.js\";\nexport function handle() {}",
        "a function is one file and imports nothing, put what it needs into it: \"./other.js\"",
    )
    .await;
    check(
        "const x = 1;\nnull.foo;\nexport function handle() {}",
        "the file failed while it was loaded: cannot read property 'foo' of null\n    at <anonymous> (shop.js:2:1)",
    )
    .await;
    let no_handler =
        "the file exports no function with the name handle: write `export function handle(event, context) { … }`";
    check("export function handel() {}", no_handler).await;
    check("export const handle = 1;", no_handler).await;
    check("export default { handle() {} };", no_handler).await;
    check(
        "await new Promise(() => {});\nexport function handle() {}",
        "the file failed while it was loaded: a promise that is awaited at the top level is never settled",
    )
    .await;
    check(
        "const deep = () => deep() + 1;\ndeep();\nexport function handle() {}",
        "the file failed while it was loaded: call stack exhausted",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_never_finishes_loading_is_given_up_soon() {
    let rig = Rig::impatient(Duration::from_millis(300));
    // More of them than are made at the same time: each gives its place back.
    let sources = [
        "while (true) {}\nexport function handle() {}",
        "for (let i = 0; ; i++) {}\nexport function handle() {}",
        "(function f() { for (;;) {} })();\nexport function handle() {}",
    ];
    let [first, second, third] = sources.map(|source| {
        tokio::time::timeout(
            Duration::from_secs(40),
            refused(&rig, Code::JavaScript(source.into()), FunctionOptions::default()),
        )
    });
    let (first, second, third) = tokio::join!(first, second, third);
    for error in [first, second, third] {
        assert_eq!(
            error.expect("long before the limit of a whole build").to_string(),
            "the file did not finish loading, mend the endless loop at its top level or do less there: the limit is 300 ms",
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_component_of_ours_is_refused() {
    let rig = Rig::new();
    let check = async |bytes: Bytes, sentence: &str| {
        let error = refused(&rig, Code::Component(bytes), FunctionOptions::default()).await;
        assert!(error.to_string().starts_with(sentence), "{error}");
    };
    let bytes = Bytes::from_static;
    let not = "this is no WebAssembly component: ";
    check(bytes(b""), &format!("{not}it does not begin as one")).await;
    check(bytes(b"\0asm\x01\0\0\0"), &format!("{not}it is a core module, make a component of it first")).await;
    check(bytes(b"\0asm\x0d\0\x01\0\xff"), not).await;
    let world = "the component does not fit the world weir:function/function of this version: ";
    check(bytes(b"\0asm\x0d\0\x01\0"), world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_beyond_the_bounds_are_refused() {
    let rig = Rig::new();
    let check = async |options: FunctionOptions, sentence: &str| {
        let error = refused(&rig, Code::JavaScript(FINE.into()), options).await;
        assert!(error.to_string().starts_with(sentence), "{error}");
    };
    let fine = FunctionOptions::default;
    let memory = "the function needs more memory to begin with than it may have: raise its limit of 1048576 bytes";
    check(FunctionOptions { memory_bytes_max: 1024 * 1024, ..fine() }, memory).await;
    let memory = "the memory of a function must not exceed that of the server: ask for at most 1073741824 bytes";
    check(FunctionOptions { memory_bytes_max: 2 * 1024 * 1024 * 1024, ..fine() }, memory).await;
    check(FunctionOptions { timeout: Duration::ZERO, ..fine() }, "the time limit of a function must be more than 0")
        .await;
    check(FunctionOptions { concurrency_max: 0, ..fine() }, "the number of calls at once must be at least 1").await;
    let instances = Instances::Reuse { calls_max: 0 };
    check(FunctionOptions { instances, ..fine() }, "the number of calls of one instance must be at least 1").await;
}

async fn refused(rig: &Rig, code: Code, options: FunctionOptions) -> PrepareError {
    match rig.try_prepare(code, options).await {
        Ok(_) => panic!("it was prepared"),
        Err(error) => error,
    }
}
