//! Users come, get new keys, and go.

use std::fs;
use std::path::Path;

use brink_keys::{Error, Lock, PublicKey, Repository, Signer, State, Trust};
use zeroize::Zeroizing;

/// From `age-keygen`, for this test only.
const IDENTITY: &str =
    "# a comment\nAGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n";

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&Zeroizing::new([seed; 32]))
}

fn lock() -> Lock {
    Lock::identity(IDENTITY).unwrap()
}

/// All bytes of all files.
fn content(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let bytes = entries.map(|path| match path.is_dir() {
        true => content(&path),
        false => fs::read(path).unwrap(),
    });
    bytes.collect::<Vec<_>>().concat()
}

#[test]
fn a_key_signs_after_it_was_kept_and_before_it_was_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::open(&folder.path().join("keys")).unwrap();
    assert!(repository.users().unwrap().is_empty());
    repository
        .add("alice", &signer(1), &lock(), "2026-01-01T00:00:00Z")
        .unwrap();
    let first = repository.signer("alice", &lock()).unwrap();
    assert_eq!(first.public(), signer(1).public());
    let signature = first.sign(b"a message");
    assert!(first.public().signed(b"a message", &signature));
    assert!(!first.public().signed(b"another one", &signature));

    let user = repository
        .rotate("alice", &signer(2), &lock(), "2026-02-01T00:00:00Z")
        .unwrap();
    let states: Vec<State> = user.keys.iter().map(|key| key.state).collect();
    assert_eq!(states, [State::Retired, State::Active]);
    let second = repository.signer("alice", &lock()).unwrap();
    assert_eq!(second.public(), signer(2).public());
    let of_alice = Trust::Of("alice".to_owned());
    assert_eq!(repository.trust(first.public()).unwrap(), of_alice);
    assert_eq!(
        repository.trust(signer(3).public()).unwrap(),
        Trust::Unknown
    );

    repository.revoke("alice").unwrap();
    let revoked = Trust::Revoked("alice".to_owned());
    assert_eq!(repository.trust(second.public()).unwrap(), revoked);
    let error = repository.signer("alice", &lock()).unwrap_err();
    assert!(matches!(error, Error::NoKey(_)), "{error}");
    // No secret lies there in the clear.
    let content = content(folder.path());
    for seed in [1, 2] {
        let hex = signer(seed).to_hex();
        assert!(!content.windows(64).any(|part| part == hex.as_bytes()));
        assert!(!content.windows(32).any(|part| part == [seed; 32]));
    }
}

#[test]
fn only_the_lock_that_sealed_a_key_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::open(&folder.path().join("keys")).unwrap();
    let passphrase = |text: &str| Lock::passphrase(text).unwrap();
    repository
        .add("bob", &signer(1), &passphrase("correct horse"), "now")
        .unwrap();
    assert!(
        repository
            .signer("bob", &passphrase("correct horse"))
            .is_ok()
    );
    let error = repository.signer("bob", &passphrase("wrong")).unwrap_err();
    assert!(
        error.to_string().ends_with("the passphrase is wrong"),
        "{error}"
    );
    let error = repository.signer("bob", &lock()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn secrets_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("keys");
    let repository = Repository::open(&root).unwrap();
    repository.add("alice", &signer(1), &lock(), "now").unwrap();
    let secret = root
        .join("alice")
        .join(format!("{}.age", signer(1).public().short()));
    set(&secret, 0o640);
    let error = repository.signer("alice", &lock()).unwrap_err().to_string();
    assert!(error.contains("(mode 640); run `chmod 600 "), "{error}");
    set(&root, 0o755);
    let error = Repository::open(&root).unwrap_err().to_string();
    assert!(error.contains("chmod 700"), "{error}");
}

#[test]
fn names_and_users_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::open(&folder.path().join("keys")).unwrap();
    for name in ["", "..", "a/b", "Alice", &"a".repeat(65)] {
        let error = repository
            .add(name, &signer(1), &lock(), "now")
            .unwrap_err();
        assert!(matches!(error, Error::Name(_)), "{error}");
    }
    repository.add("alice", &signer(1), &lock(), "now").unwrap();
    let error = repository
        .add("alice", &signer(2), &lock(), "now")
        .unwrap_err();
    assert!(matches!(error, Error::Exists(_)), "{error}");
    let error = repository.user("alise").unwrap_err().to_string();
    assert_eq!(error, "there is no user `alise`; known: alice");
}

#[test]
fn keys_are_read_from_their_text() {
    let public = signer(9).public();
    assert_eq!(public.to_string().parse::<PublicKey>().unwrap(), public);
    let again = Signer::from_hex(&signer(9).to_hex()).unwrap();
    assert_eq!(again.public(), public);
    for text in ["", "ed25519:AAAA", "ssh-ed25519 AAAA"] {
        assert!(text.parse::<PublicKey>().is_err(), "{text}");
    }
    // A key that makes forgery easy: the neutral point.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(PublicKey::from_bytes(&neutral).is_err());
    for text in ["", "00", &"g".repeat(64), &"0".repeat(66)] {
        let error = Signer::from_hex(text).unwrap_err().to_string();
        assert_eq!(error, "not a secret key; write 64 hexadecimal digits");
    }
    assert_eq!(
        format!("{:?} {:?}", signer(1), lock()),
        "Signer(..) Lock(..)"
    );
}
