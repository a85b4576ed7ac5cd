//! Real and damaged files, which lie beside the folder that BRINK_DATA names: each gives the one message that is right.

use std::fs;

#[test]
fn dump() {
    let root = std::path::PathBuf::from(std::env::var_os("BRINK_DATA").unwrap());
    let mut files: Vec<_> = fs::read_dir(root.join("../cases/parquet"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("cifar10");
        fs::create_dir(&at).unwrap();
        fs::copy(&path, at.join("train-00000-of-00001.parquet")).unwrap();
        for id in [data::Id::Cifar10, data::Id::Cifar10Jpeg] {
            let m = data::open(id, Some(folder.path()))
                .map(|_| ())
                .unwrap_err()
                .to_string();
            let m = m.replace(folder.path().to_str().unwrap(), "");
            let m: String = m.chars().take(330).collect();
            println!("{name} {id}: {m}");
        }
    }
}
