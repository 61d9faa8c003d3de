//! The same behaviour of all stores: memory, a folder, and a real S3 server where there is one.

use super::*;

fn behaves(objects: &dyn Objects) {
    assert_eq!(objects.get("n/0000000001/a").unwrap(), None);
    assert_eq!(objects.list("n").unwrap(), Vec::<String>::new());
    objects.put("n/0000000001/a", b"one").unwrap();
    objects.put("n/0000000001/b", &vec![7; 100_000]).unwrap();
    objects.put("n/0000000002/a", b"").unwrap();
    objects.put("n/0000000001/a", b"two").unwrap();
    assert_eq!(objects.get("n/0000000001/a").unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(
        objects.get("n/0000000001/b").unwrap().map(|bytes| bytes.len()),
        Some(100_000)
    );
    assert_eq!(objects.get("n/0000000002/a").unwrap(), Some(Vec::new()));
    assert_eq!(objects.list("n").unwrap(), ["0000000001", "0000000002"]);
    assert_eq!(objects.list("n/0000000001").unwrap(), ["a", "b"]);
}

#[test]
fn memory_and_a_folder_behave_alike() {
    behaves(&Memory::default());
    let folder = tempfile::tempdir().unwrap();
    behaves(&Remote::folder(folder.path()).unwrap());
}

#[tokio::test]
async fn a_store_may_be_used_and_dropped_inside_async_code() {
    let folder = tempfile::tempdir().unwrap();
    behaves(&Remote::folder(folder.path()).unwrap());
}

#[test]
fn an_s3_server_behaves_like_a_folder() {
    let Some(server) = moto::start("a store on an S3 server") else {
        return;
    };
    behaves(&Remote::s3_with_keys(&server.place, "test", "test").unwrap());
    let nowhere = S3 {
        bucket: "elsewhere".to_owned(),
        ..server.place.clone()
    };
    assert!(
        Remote::s3_with_keys(&nowhere, "test", "test")
            .unwrap()
            .put("a", b"b")
            .is_err()
    );
}
