//! Compiled code that is kept: it behaves the same, and damage is mended.

use std::{fs, path::Path};

use serde_json::json;

use weir_domain::Data;
use weir_functions::FunctionOptions;

use crate::rig::{Rig, data, invoke};

const SOURCE: &str = "let n = 40; export const handle = () => ({ type: 'told', data: ++n });";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_code_behaves_the_same_and_broken_code_is_made_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let check = async || {
        let rig = Rig::with(4, dir.path());
        let function = rig.script(SOURCE, FunctionOptions::default()).await;
        for expected in [41, 42] {
            assert_eq!(data(invoke(&function, "t", Data::None).await), json!(expected));
        }
        let kept: Vec<_> =
            fs::read_dir(dir.path()).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        // Code and hash of the function and of the runtime, and the parts of which the runtime consists.
        assert_eq!(kept.len(), 5, "{kept:?}");
        let mut code: Vec<_> =
            kept.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect();
        code.sort_by_key(|path| path.with_extension("fragments").exists());
        code.swap_remove(0)
    };
    let code = check().await;
    let made = modified(&code);
    assert_eq!(check().await, code);
    assert_eq!(modified(&code), made, "kept code was made again");

    let whole = fs::read(&code).expect("readable");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 0x10;
    for broken in [&changed[..], &whole[..whole.len() / 3]] {
        fs::write(&code, broken).expect("writable");
        assert_eq!(check().await, code);
        assert_ne!(fs::read(&code).expect("readable"), broken);
    }
}

fn modified(path: &Path) -> std::time::SystemTime {
    fs::metadata(path).and_then(|metadata| metadata.modified()).expect("readable")
}
